"""The commands that learn from logs of what was done and how it ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from huiyi.cli.options import Ignore, Json, Language, SkipBad, Where, asked_language, listed, pairs
from huiyi.cli.printing import open_console, print_notices, progress_bars
from huiyi.data.columns import listed as named
from huiyi.errors import DataError, OptionError

if TYPE_CHECKING:
    from huiyi.cause import Log
    from huiyi.cause.model import CausalModel

Source = Annotated[str, typer.Argument(metavar="LOG", help="File or folder of decisions, one a row.")]
Action = Annotated[str, typer.Option("--action", metavar="COL", help="Column of what was done.")]
Outcome = Annotated[str, typer.Option("--outcome", metavar="COL", help="Column of what came of it.")]
Context = Annotated[
    str, typer.Option("--fields", metavar="A,B", help="Columns known before the action; all others, when not given.")
]
Texts = Annotated[str, typer.Option("--text", metavar="A,B", help="Columns of texts: what they mean is held equal.")]
Intent = Annotated[
    str | None, typer.Option("--intent", metavar="COL", help="Column of the intent; 'intent' when not given.")
]
Propensity = Annotated[
    str | None, typer.Option("--propensity", metavar="COL", help="How probable the action that was taken was.")
]
Unit = Annotated[str | None, typer.Option("--unit", metavar="COL", help="Who a row is about, where some come again.")]
Time = Annotated[str | None, typer.Option("--time", metavar="COL", help="When it was done.")]
OutcomeTime = Annotated[
    str | None, typer.Option("--outcome-time", metavar="COL", help="When it was known how it ended.")
]
Graph = Annotated[
    Path | None, typer.Option("--causal-model", metavar="F", help="What may cause what: .yaml, .dot or .dagitty.")
]
Report = Annotated[Path | None, typer.Option("--report", metavar="F.html", help="Write a page with plots.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Of all that is drawn.")]


def effect(
    source: Source,
    action: Action,
    outcome: Outcome,
    by: Annotated[str, typer.Option(metavar="A,B", help="Tell it for each value of these columns as well.")] = "",
    against: Annotated[
        str | None, typer.Option(metavar="ACTION", help="What other actions are compared with.", show_default=False)
    ] = None,
    estimand: Annotated[str, typer.Option(metavar="ATE|ATT", help="Over everybody, or those who got it.")] = "ATE",
    method: Annotated[
        str, typer.Option(metavar="NAME", help="doubly robust, forest, t-learner, x-learner or dr-learner.")
    ] = "doubly robust",
    causal_model: Graph = None,
    negative_control: Annotated[
        str | None, typer.Option(metavar="COL", help="A column that the action cannot change.", show_default=False)
    ] = None,
    attempts: Annotated[
        bool, typer.Option("--attempts/--no-attempts", help="Try to prove it wrong. Takes longer than the rest.")
    ] = True,
    report: Report = None,
    as_json: Json = False,
    fields: Context = "",
    text: Texts = "",
    intent: Intent = None,
    propensity: Propensity = None,
    unit: Unit = None,
    time: Time = None,
    outcome_time: OutcomeTime = None,
    ignore: Ignore = "",
    where: Where = None,
    skip_bad: SkipBad = False,
    seed: Seed = 0,
    lang: Language = "en",
) -> None:
    """Tell what each action does to an outcome, and how far that can be trusted."""
    from huiyi.evaluate import effects_table, study_in_words, study_json, write_study
    from huiyi.study import StudyConfig
    from huiyi.study import effect as run

    language = asked_language(lang)
    config = StudyConfig(
        estimand,
        method,
        attempts=attempts,
        ranked=report is not None,
        negative_control=negative_control,
        seed=seed,
    )
    with progress_bars() as progress:
        log = _log(
            source,
            action,
            outcome,
            progress,
            fields=fields,
            text=text,
            intent=intent,
            propensity=propensity,
            unit=unit,
            time=time,
            outcome_time=outcome_time,
            ignore=ignore,
            where=where,
            skip_bad=skip_bad,
        )
        study = run(
            log,
            by=listed(by),
            against=against,
            causal_model=_model(causal_model),
            config=config,
            on_progress=progress,
        )
    if report is not None:
        write_study(study, report, language=language)
    if as_json:
        print(json.dumps(study_json(study), ensure_ascii=False))
        return
    console = open_console()
    console.print(effects_table(study, language=language))
    console.print("\n".join(study_in_words(study, language)), markup=False, highlight=False)
    print_notices(study.notices)
    if report is not None:
        console.print(f"→ {report}", markup=False, highlight=False)


def policy(
    source: Source,
    action: Action,
    outcome: Outcome,
    columns: Annotated[
        str, typer.Option("--by", metavar="A,B", help="Columns that it may look at; all known before the action.")
    ] = "",
    cost: Annotated[
        list[str] | None, typer.Option(metavar="ACTION=N", help="What an action costs, in the outcome's unit.")
    ] = None,
    less_is_better: Annotated[
        bool, typer.Option("--less-is-better", help="Less of the outcome is better, such as of minutes.")
    ] = False,
    into: Annotated[
        Path | None, typer.Option("--into", metavar="DIR", help="A saved model that is to act by it, if it is adopted.")
    ] = None,
    explore: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of that model's decisions that try something else.")
    ] = 0.0,
    explore_by: Annotated[str, typer.Option(metavar="epsilon|thompson", help="How.")] = "epsilon",
    causal_model: Graph = None,
    as_json: Json = False,
    fields: Context = "",
    text: Texts = "",
    intent: Intent = None,
    propensity: Propensity = None,
    unit: Unit = None,
    time: Time = None,
    outcome_time: OutcomeTime = None,
    ignore: Ignore = "",
    where: Where = None,
    skip_bad: SkipBad = False,
    seed: Seed = 0,
    lang: Language = "en",
) -> None:
    """Learn what to do when, and whether that is surely better than what was done."""
    from huiyi.cause.actor import Actor
    from huiyi.cause.explore import Exploration
    from huiyi.evaluate import policy_in_words, policy_json
    from huiyi.pipeline import load
    from huiyi.storage import replacing
    from huiyi.study import policy as run

    language = asked_language(lang)
    exploration = Exploration(explore, explore_by, seed)  # type: ignore[arg-type]  # it checks the kind
    if explore and into is None:
        raise OptionError("--explore: no model is named that should explore; add --into DIR")
    model = None if into is None else load(into)
    with progress_bars() as progress:
        log = _log(
            source,
            action,
            outcome,
            progress,
            fields=fields,
            text=text,
            intent=intent,
            propensity=propensity,
            unit=unit,
            time=time,
            outcome_time=outcome_time,
            ignore=ignore,
            where=where,
            skip_bad=skip_bad,
        )
        study = run(
            log,
            columns=listed(columns) or None,
            costs=_costs(cost),
            less_is_better=less_is_better,
            causal_model=_model(causal_model),
            seed=seed,
            on_progress=progress,
        )
    if as_json:
        print(json.dumps(policy_json(study), ensure_ascii=False))
    else:
        open_console().print("\n".join(policy_in_words(study, language)), markup=False, highlight=False)
        print_notices(study.notices)
    if model is None or into is None:
        return
    if not study.learned.adopted:
        raise DataError(f"{into} stays as it was, since the policy was not adopted; log more, then learn it again")
    actor = Actor(study.learned.policy, exploration, log.intent_name or "intent")
    acting = model.acting(actor)
    with replacing(into) as new:
        acting.save(new)
    labels = {name for task in model.tasks for name in task.names}
    if unknown := [name for name in actor.intents if name not in labels]:
        print_notices([f"{into} never tells the intents {named(unknown)}, of which the policy speaks"])
    instead = ", in place of the policy that it had" if model.actor is not None else ""
    print_notices(
        [
            f"{into} acts by it{instead}. {exploration.explain()}",
            f"{into} is another version now: `huiyi replay` refuses what was recorded of the one before",
        ]
    )


def discover(
    source: Source,
    action: Action,
    outcome: Outcome,
    known: Annotated[
        Path | None, typer.Option("--known", metavar="F", help="A causal model whose arrows are there for sure.")
    ] = None,
    method: Annotated[str, typer.Option(metavar="NAME", help="score, pc, ges or lingam.")] = "score",
    resamples: Annotated[int, typer.Option(metavar="N", help="Drawn to tell how sure each edge is.")] = 20,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="F.yaml", help="Write it, to be edited and used.")
    ] = None,
    svg: Annotated[Path | None, typer.Option("--svg", metavar="F.svg", help="Draw it.")] = None,
    as_json: Json = False,
    fields: Context = "",
    intent: Intent = None,
    ignore: Ignore = "",
    where: Where = None,
    skip_bad: SkipBad = False,
    seed: Seed = 0,
    lang: Language = "en",
) -> None:
    """Suggest a graph of what may cause what. A log alone proves none: look at every arrow before you believe it."""
    from huiyi.cause.discover import Knowledge
    from huiyi.cause.discover import discover as run
    from huiyi.cause.drawing import draw
    from huiyi.cause.model import Role
    from huiyi.cause.notation import as_yaml
    from huiyi.evaluate import suggestion_in_words, suggestion_json
    from huiyi.storage import check_free, write_page

    if out is not None:
        check_free(out)  # it may have been edited since
    language = asked_language(lang)
    with progress_bars() as progress:
        log = _log(
            source,
            action,
            outcome,
            progress,
            fields=fields,
            intent=intent,
            ignore=ignore,
            where=where,
            skip_bad=skip_bad,
        )
        before = Knowledge.of_log(log)
        model = _model(known)
        found = run(
            log,
            knowledge=before if model is None else before | Knowledge.of_model(model),
            method=method,  # type: ignore[arg-type]  # it is checked there
            resamples=resamples,
            seed=seed,
            on_progress=progress,
        )
    roles: dict[str, Role] = dict.fromkeys(log.context, "context")
    roles |= {action: "action", **dict.fromkeys(log.outcomes, "outcome")}
    suggested = found.model({name: role for name, role in roles.items() if name in found.names})
    if out is not None:
        write_page(out, as_yaml(suggested), what="the causal model")
    if svg is not None:
        write_page(svg, draw(suggested), what="the drawing")
    if as_json:
        print(json.dumps(suggestion_json(found), ensure_ascii=False))
        return
    console = open_console()
    console.print("\n".join(suggestion_in_words(found, language)), markup=False, highlight=False)
    print_notices([*log.notices, *found.notices])
    for file in (out, svg):
        if file is not None:
            console.print(f"→ {file}", markup=False, highlight=False)


def _costs(given: list[str] | None) -> dict[str, float]:
    """What actions cost."""
    costs = {}
    for name, cost in pairs(given, "--cost").items():
        try:
            costs[name] = float(cost)
        except ValueError:
            raise OptionError(f"--cost {name}={cost} is no number; expected one, such as --cost {name}=0.1") from None
    return costs


def _log(
    source: str,
    action: str,
    outcome: str,
    progress: Callable[[str, int, int], None],
    *,
    fields: str,
    intent: str | None,
    ignore: str,
    where: list[str] | None,
    skip_bad: bool,
    text: str = "",
    propensity: str | None = None,
    unit: str | None = None,
    time: str | None = None,
    outcome_time: str | None = None,
) -> Log:
    """The log, by what the options say of its columns."""
    from huiyi.cause.table import Roles
    from huiyi.study import read_log

    roles = Roles(
        action,
        tuple(listed(outcome)),
        intent=intent,
        context=tuple(listed(fields)) or None,
        propensity=propensity,
        unit=unit,
        time=time,
        outcome_time=outcome_time,
        ignore=tuple(listed(ignore)),
    )
    texts = tuple(listed(text)) or None
    return read_log(source, roles, texts=texts, where=pairs(where, "--where"), skip_bad=skip_bad, on_progress=progress)


def _model(file: Path | None) -> CausalModel | None:
    """The causal model of a file."""
    if file is None:
        return None
    from huiyi.cause.notation import read_model

    return read_model(file)

"""The commands that make, use and measure models."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from huiyi.cli.options import (
    Answers,
    Audios,
    Fields,
    FormFields,
    Ignore,
    Images,
    Json,
    LabelColumn,
    Language,
    MaxError,
    OosRate,
    SkipBad,
    Text,
    Where,
    asked_language,
    columns_of,
    listed,
    pairs,
)
from huiyi.cli.printing import (
    StoppedError,
    left_out_columns,
    open_console,
    print_notices,
    print_training,
    progress_bars,
)
from huiyi.errors import OptionError

if TYPE_CHECKING:
    from huiyi.data import Table
    from huiyi.evaluate import Evaluation
    from huiyi.pipeline import Model
    from huiyi.values import Record


def train(
    source: Annotated[str, typer.Argument(metavar="TRAIN", help="File or folder of examples.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the model goes. Must not exist.")],
    validation: Annotated[str | None, typer.Option(metavar="F", help="Held-out rows, for a guarantee.")] = None,
    unlabelled: Annotated[str | None, typer.Option(metavar="F", help="Texts without labels to learn from.")] = None,
    task: Annotated[Path | None, typer.Option(metavar="task.yaml", help="What the labels mean.")] = None,
    effort: Annotated[str, typer.Option(metavar="fast|tuned|thorough", help="How much work it is worth.")] = "fast",
    pretext: Annotated[
        str, typer.Option(metavar="A,B", help="Learnt from unlabelled texts first: masked, order, contrastive.")
    ] = "",
    distil: Annotated[
        bool, typer.Option("--distil", help="Keep a small, fast student of what was tuned, in its place.")
    ] = False,
    minutes: Annotated[float, typer.Option(metavar="N", help="How long thorough may take.")] = 60.0,
    encoder: Annotated[
        str, typer.Option(metavar="ID", help="Backbone to tune: a name, a folder or a hub id.", show_default=False)
    ] = "",
    image_encoder: Annotated[
        str,
        typer.Option(
            "--image-encoder", metavar="ID", help="What looks at pictures: a folder or hub id.", show_default=False
        ),
    ] = "",
    tune: Annotated[
        str, typer.Option(metavar="METHOD", help="head, full, lora, adalora, prefix or adapters.")
    ] = "full",
    add_to: Annotated[
        Path | None, typer.Option("--add-to", metavar="DIR", help="A model that learns a task more.")
    ] = None,
    track: Annotated[
        str, typer.Option(metavar="tensorboard|wandb", help="Who keeps the figures of epochs.")
    ] = "tensorboard",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what was interrupted.")] = False,
    knowledge: Annotated[
        list[str] | None,
        typer.Option(metavar="F", help="Facts (.csv, .ttl, .nq, …) or .rules that decisions go by; one or more."),
    ] = None,
    max_error: MaxError = 0.05,
    oos_rate: OosRate = 0.1,
    signals: Annotated[
        str,
        typer.Option(metavar="A,B", help="What to perceive: text, words, history, fields, image, ocr, audio, speech."),
    ] = "",
    no_examples: Annotated[bool, typer.Option("--no-examples", help="Keep no training texts in the model.")] = False,
    seed: Annotated[int, typer.Option(help="Told in every decision.")] = 0,
    text: Text = None,
    label: LabelColumn = None,
    fields: Fields = "",
    ignore: Ignore = "",
    where: Where = None,
    skip_bad: SkipBad = False,
    lang: Language = "en",
) -> None:
    """Train a model from examples and save it."""
    from huiyi.pipeline import load
    from huiyi.storage import check_free
    from huiyi.train import TrainConfig
    from huiyi.train import train as run
    from huiyi.train.tuning.runs import end, is_begun

    language = asked_language(lang)
    check_free(out)
    config = TrainConfig(
        max_error=max_error,
        oos_rate=oos_rate,
        signals=tuple(listed(signals)),
        examples=not no_examples,
        seed=seed,
        effort=effort,
        encoder=encoder,
        image_encoder=image_encoder,
        tune=tune,
        pretexts=tuple(listed(pretext)),
        distil=distil,
        minutes=minutes,
        track=track,
    )
    base = None if add_to is None else load(add_to)
    run_folder = out.with_name(f"{out.name}.run")
    with progress_bars() as progress, _resumable(lambda: is_begun(run_folder)):
        model = run(
            source,
            validation=validation,
            unlabelled=unlabelled,
            task=task,
            columns=columns_of(text, label, fields, ignore, where),
            config=config,
            skip_bad=skip_bad,
            progress=progress,
            on_epoch=_print_epoch,
            folder=run_folder,
            resume=resume,
            add_to=base,
            knowledge=knowledge or (),
        )
        model.save(out)
    end(run_folder)
    print_training(model, language)
    open_console().print(f"→ {out}", markup=False, highlight=False)


def evaluate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A saved model.")],
    test: Annotated[str, typer.Argument(metavar="TEST", help="File or folder of labelled rows.")],
    as_json: Json = False,
    report: Annotated[Path | None, typer.Option(metavar="F.html", help="Write a report.")] = None,
    text: Text = None,
    label: LabelColumn = None,
    fields: Fields = "",
    ignore: Ignore = "",
    where: Where = None,
    skip_bad: SkipBad = False,
    lang: Language = "en",
) -> None:
    """Measure a model on labelled rows."""
    from huiyi.evaluate import evaluate as run
    from huiyi.evaluate import figures_table, labelled_rows, mixed_up, overview, sources_table, write_report
    from huiyi.perceive import left_out
    from huiyi.pipeline import load

    language = asked_language(lang)
    model = load(folder)
    columns = columns_of(text, label, fields or ",".join(model.fields), ignore, where)
    table = labelled_rows(model.tasks, test, columns, skip_bad=skip_bad)
    excused = _excusing(model) if skip_bad else []
    with progress_bars() as progress:
        evaluation = run(model, table, progress=lambda done, total: progress("rows", done, total))
    if report is not None:
        told = [one for one in (evaluation.tasks or {"": evaluation}).values() if one.task.kind != "spans"]
        overviews = {one.task.name: overview(model, one.task.name, pairs=list(mixed_up(one))) for one in told}
        write_report(evaluation, report, language=language, overviews=overviews)
    if as_json:
        parts = {name: _as_plain(part) for name, part in evaluation.tasks.items()}
        print(json.dumps({**_as_plain(evaluation), **({"tasks": parts} if parts else {})}, ensure_ascii=False))
        return
    console = open_console()
    for name, part in (evaluation.tasks or {"": evaluation}).items():
        if name:
            console.print(f"\n{name}", style="bold", markup=False, highlight=False)
        console.print(figures_table(part, language=language))
        if part.sources:
            console.print(sources_table(part, language=language))
        console.print(part.promise.describe(language), markup=False, highlight=False)
    print_notices([*evaluation.notices, *left_out(excused)])
    if report is not None:
        console.print(f"→ {report}", markup=False, highlight=False)


def decide(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A saved model.")],
    said: Annotated[
        str | None,
        typer.Argument(
            metavar='"TEXT" | FILE | -',
            help="A text, a file of records or a FOLDER/, or - for a text on standard input.",
            show_default=False,
        ),
    ] = None,
    image: Images = None,
    audio: Audios = None,
    field: FormFields = None,
    answer: Answers = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also say how much the text, the fields, … counted.")
    ] = False,
    proof: Annotated[
        bool, typer.Option("--proof", help="Also say which facts and rules it rests on, and check them.")
    ] = False,
    svg: Annotated[Path | None, typer.Option("--svg", metavar="F.svg", help="Draw the proof.")] = None,
    as_json: Json = False,
    text: Text = None,
    label: LabelColumn = None,
    fields: Fields = "",
    ignore: Ignore = "",
    where: Where = None,
    skip_bad: SkipBad = False,
    lang: Language = "en",
) -> None:
    """Act, clarify or decline. A file gives one line of JSON a record."""
    from huiyi.data import read
    from huiyi.evaluate import draw_proofs, in_words, proofs_in_words
    from huiyi.pipeline import load

    language = asked_language(lang)
    if said is None and not (image or audio or field):
        raise OptionError(
            "there is nothing to decide on; expected a text, a file of records, --image, --audio or --field"
        )
    model = load(folder)
    if (proof or svg) and model.reasoner is None:
        raise OptionError(
            f"{'--proof' if proof else '--svg'}: the model was trained without knowledge, so nothing is proved; "
            "expected one trained with --knowledge. Leave the option out"
        )
    if said is not None and _is_file(said):
        if field or answer or image or audio or svg:
            raise OptionError(
                "--field, --answer, --audio, --image and --svg go with one text; a file has columns of its own. "
                "Leave them out"
            )
        columns = columns_of(text, label, fields or ",".join(model.fields), ignore, where)
        table = read(said, columns, skip_bad=skip_bad)
        if model.reasoner is not None and not fields and (told := model.reasoner.takes.intersection(table.left_out)):
            columns = replace(columns, fields=(*columns.fields, *sorted(told)))
            table = read(said, columns, skip_bad=skip_bad)
        _decide_file(model, table, explain=explain, prove=proof, skip_bad=skip_bad)
        return
    if said == "-":
        said = sys.stdin.read()
    record = _record(model, said, image, audio, field, answer)
    decision = model.decide(record, explain=explain, prove=proof or svg is not None)
    if svg is not None:
        draw_proofs(model, decision, svg, language)
    if as_json:
        print(json.dumps(asdict(decision), ensure_ascii=False))
        return
    lines = in_words(decision, model, said or "", language)
    if proof:
        lines += proofs_in_words(model, record, decision, language)
    open_console().print("\n".join(lines), markup=False, highlight=False)
    if svg is not None:
        open_console().print(f"→ {svg}", markup=False, highlight=False)


def explain(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A saved model.")],
    said: Annotated[
        str | None,
        typer.Argument(
            metavar='"TEXT" | -',
            help="A text, or - for one on standard input. Without one, the whole model is explained.",
            show_default=False,
        ),
    ] = None,
    about: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Explain this label.", show_default="the one decided on")
    ] = None,
    reader: Annotated[str, typer.Option("--for", metavar="person|agent|auditor", help="Who asks.")] = "agent",
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="How words and parts of media are weighed: chains, shapley or occlusion; words by a tuned backbone: "
            "gradients, attention.",
        ),
    ] = "chains",
    seconds: Annotated[
        float | None, typer.Option(metavar="N", help="How long weighing may take.", show_default="as needed")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="F.html", help="Write a page.")] = None,
    as_json: Json = False,
    image: Images = None,
    audio: Audios = None,
    field: FormFields = None,
    answer: Answers = None,
    lang: Language = "en",
) -> None:
    """Why a decision is as it is: for whom it concerns, for whoever answers for it, or for an auditor."""
    from huiyi.evaluate import (
        audit,
        explanation_graph,
        for_agent,
        for_person,
        proofs_in_words,
        write_explanation,
    )
    from huiyi.pipeline import load

    language = asked_language(lang)
    if reader not in ("person", "agent", "auditor"):
        raise OptionError(f"--for {reader!r} is not known; expected person, agent or auditor")
    if reader == "auditor" and seconds is not None:
        raise OptionError("--seconds: a time budget is never the same twice, so the record could not be replayed")
    model = load(folder)
    if said is None and not (image or audio or field):
        if reader != "agent" or answer or method != "chains":
            raise OptionError(
                "there is nothing to explain; expected a text, --image, --audio or --field. To hear what the whole "
                "model goes by, leave out --for, --method and --answer"
            )
        _explain_model(model, about, seconds, html, as_json, language)
        return
    said = sys.stdin.read() if said == "-" else said
    record = _record(model, said, image, audio, field, answer)
    if reader == "auditor":
        print(json.dumps(audit(model, record, about, method=method), ensure_ascii=False, indent=1))
        return
    is_told = reader == "agent" or as_json or html is not None  # whoever is told one sentence hears of no other text
    explanation = model.explain(record, about, method=method, seconds=seconds, counterfactual=is_told)
    decision = model.decide(record, prove=model.reasoner is not None)
    decision = decision.tasks.get(explanation.task, decision)
    proofs = proofs_in_words(model, record, decision, language) if decision.proofs else []
    if html is not None:
        heard = said or "\n".join(reading.text for reading in decision.readings.values())
        write_explanation(model, decision, explanation, heard, html, language=language, proofs=proofs, record=record)
    if as_json:
        graph = explanation_graph(model, decision, explanation, language)
        print(json.dumps({**asdict(explanation), "graph": graph.to_dict()}, ensure_ascii=False))
        return
    lines = (
        [for_person(model, decision, explanation, language)]
        if reader == "person"
        else for_agent(model, decision, explanation, language, proofs)
    )
    open_console().print("\n".join(lines), markup=False, highlight=False)
    if html is not None:
        open_console().print(f"→ {html}", markup=False, highlight=False)


def _explain_model(
    model: Model, about: str | None, seconds: float | None, html: Path | None, as_json: bool, language: str
) -> None:
    """Say what a whole model goes by."""
    from huiyi.errors import did_you_mean
    from huiyi.evaluate import overview, overview_in_words, write_overview
    from huiyi.evaluate.overview import SECONDS

    told = [task for task in model.tasks if task.kind != "spans"]
    names = [name for task in told for name in task.names]
    if about is not None and about not in names:
        raise OptionError(
            f"the model has no label {about!r}; expected one of its {len(names)} labels.{did_you_mean(about, names)}"
        )
    told = [task for task in told if about in (None, *task.names)]
    seconds = SECONDS if seconds is None else seconds
    found = [overview(model, task.name, seconds=seconds) for task in told] or [overview(model, seconds=seconds)]
    if html is not None:
        write_overview(found, model.sha256, html, language=language)
    if as_json:
        print(json.dumps({one.task: one.to_dict() for one in found}, ensure_ascii=False))
        return
    for one in found:
        lines = overview_in_words(one, language, about)
        lines = [f"{one.task}", *(f"  {line}" if line else line for line in lines)] if len(found) > 1 else lines
        open_console().print("\n".join(lines), markup=False, highlight=False)
    if html is not None:
        open_console().print(f"→ {html}", markup=False, highlight=False)


def replay(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The saved model that decided.")],
    kept: Annotated[Path, typer.Argument(metavar="RECORD.json", help="What explain --for auditor printed.")],
    lang: Language = "en",
) -> None:
    """Decide anew what an auditor's record holds, and compare. Exit code 1 where something differs."""
    from huiyi.errors import DataError
    from huiyi.evaluate import replay_audit
    from huiyi.pipeline import load

    said = {
        "en": ("identical: {} of {}", "differs: {}"),
        "zh": ("完全一致：{}，模型 {}", "不一致：{}"),
    }[asked_language(lang)]
    try:
        document = json.loads(kept.read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{kept} cannot be read: {error.strerror}. Expected an auditor's record") from error
    except ValueError as error:
        raise DataError(f"{kept} cannot be read as JSON; expected an auditor's record") from error
    if not isinstance(document, dict):
        raise DataError(f"{kept} holds no auditor's record; expected what `huiyi explain --for auditor` printed")
    differences = replay_audit(load(folder), document)
    lines = [said[1].format(line) for line in differences] or [said[0].format(kept, document["model"])]
    open_console().print("\n".join(lines), markup=False, highlight=False)
    if differences:
        raise typer.Exit(1)


def check(
    source: Annotated[str, typer.Argument(metavar="FILE", help="File or folder of examples.")],
    test: Annotated[str | None, typer.Option(metavar="FILE", help="A test file, to look for overlap.")] = None,
    as_json: Json = False,
    text: Text = None,
    label: LabelColumn = None,
    fields: Fields = "",
    ignore: Ignore = "",
    where: Where = None,
    skip_bad: SkipBad = False,
    lang: Language = "en",
) -> None:
    """Look for trouble in the data: repeats, contradictions, leaks, likely wrong labels."""
    from huiyi.train import check as run
    from huiyi.train import check_json, check_table

    language = asked_language(lang)
    columns = columns_of(text, label, fields, ignore, where)
    with progress_bars() as progress:
        found = run(source, test=test, columns=columns, skip_bad=skip_bad, progress=progress)
    if as_json:
        print(json.dumps(check_json(found), ensure_ascii=False))
    else:
        open_console().print(check_table(found, language))
        print_notices(found.notices)


def _is_file(said: str) -> bool:
    """Whether what was given is a file of records, or a folder with a slash behind it, rather than a text.

    Raises:
        OptionError: It is called like a file, and there is none; or like a picture or a recording.
    """
    kind = re.fullmatch(r"\S+\.(?:(jpe?g|png|gif|webp|bmp)|(wav|flac|ogg|mp3|m4a|webm))", said, re.IGNORECASE)
    if kind:
        option = "--image" if kind[1] else "--audio"
        raise OptionError(f"{said}: a picture or a recording is no text; expected it behind an option: {option} {said}")
    try:
        if Path(said).is_file() or (re.search(r"\w/$", said) and Path(said).is_dir()):
            return True
    except (OSError, ValueError):  # too long for a path, or with characters that no path has
        return False
    if re.fullmatch(r"\S+\.(csv|tsv|jsonl|ndjson|json|parquet|txt)(\.gz)?", said, re.IGNORECASE):
        raise OptionError(
            f"{said}: no such file; expected a text, or a file of records. To decide on this very text, give it on "
            "standard input: echo TEXT | huiyi decide DIR -"
        )
    return False


def _decide_file(model: Model, table: Table, *, explain: bool, prove: bool, skip_bad: bool) -> None:
    """Decide on each record, and print a line of JSON for each."""
    from huiyi.perceive import left_out
    from huiyi.pipeline import batched

    print_notices([*table.notices, *left_out_columns(table.left_out)])
    excused = _excusing(model) if skip_bad else []
    for batch in batched(table.records):
        for decision in model.decide_all(batch, explain=explain, prove=prove):
            print(json.dumps(asdict(decision), ensure_ascii=False))
    print_notices(left_out(excused))


def _record(
    model: Model,
    said: str | None,
    image: list[Path] | None,
    audio: list[Path] | None,
    field: list[str] | None,
    answer: list[str] | None,
) -> Record:
    """The record that the options speak of.

    Raises:
        OptionError: The model makes nothing of one of them.
    """
    from huiyi.perceive import PICTURES, RECORDINGS
    from huiyi.values import Media, Record

    record = Record(
        text=said,
        images=tuple(Media(path=path) for path in image or ()),
        audios=tuple(Media(path=path) for path in audio or ()),
        fields=pairs(field, "--field"),
        answers=pairs(answer, "--answer"),
    )
    _check_answers(record, model)
    _check_fields(record, model)
    if image and not model.perception.takes(PICTURES):
        raise OptionError(
            "--image: the model has learnt from no pictures, and from no texts as which they could be read; expected "
            "one that has. Leave the option out"
        )
    if audio and not model.perception.takes(RECORDINGS):
        raise OptionError(
            "--audio: the model has learnt from no recordings, and from no texts as which they could be heard; "
            "expected one that has. Leave the option out"
        )
    return record


def _check_fields(record: Record, model: Model) -> None:
    """Refuse form fields that the model has not learnt from, and that no rule speaks of.

    Raises:
        OptionError: It names the field and those there are.
    """
    from huiyi.data.columns import listed
    from huiyi.errors import did_you_mean

    known = [*model.fields, *(() if model.reasoner is None else sorted(model.reasoner.takes))]
    for name in record.fields:
        if name not in known:
            raise OptionError(
                f"--field {name}=…: the model has learnt from no field of that name; expected some of: "
                f"{listed(list(dict.fromkeys(known)))}.{did_you_mean(name, known)}"
            )


def _check_answers(record: Record, model: Model) -> None:
    """Refuse replies that answer no question.

    Raises:
        OptionError: It names the reply and what could be said.
    """
    from huiyi.decide import is_none_of_these, reply_to, says_yes
    from huiyi.errors import did_you_mean

    known = {task.name: task for task in model.tasks}
    others = () if model.reasoner is None else model.reasoner.asks
    for name, reply in record.answers.items():
        if name in others:
            if model.reasoner is not None and (wanted := model.reasoner.expected(name, reply)):
                raise OptionError(f"--answer {name}={reply}: rules can make nothing of that; expected {wanted}")
            continue
        if name not in known:
            expected = " or ".join(f"{task.name}={'yes' if task.kind == 'spans' else 'LABEL'}" for task in model.tasks)
            near = did_you_mean(name, [*known, *others])
            raise OptionError(f"--answer {name}=…: nothing of that name is asked; expected {expected}.{near}")
        task = known[name]
        if task.kind == "spans":
            if says_yes(task, record) is None:
                raise OptionError(f"--answer {name}={reply}: expected yes or no")
        elif reply_to(task, record) is None and not is_none_of_these(task, record):
            raise OptionError(
                f"--answer {name}={reply}: there is no such label.{did_you_mean(reply, task.names)} Expected the name "
                "or the description of a label, or 'something else'"
            )


def _as_plain(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation of one task as JSON can hold it: its figures, and what each source adds where there are several."""
    sources = {name: asdict(worth) for name, worth in evaluation.sources.items()}
    return {**evaluation.figures, **({"sources": sources} if sources else {})}


def _excusing(model: Model) -> list[str]:
    """Let a model leave out pictures and recordings that cannot be read, and return where it tells of them."""
    from huiyi.perceive import Upkeep

    excused: list[str] = []
    model.perception.keep_up(Upkeep(excuse=excused.append))
    return excused


@contextmanager
def _resumable(is_begun: Callable[[], bool]) -> Iterator[None]:
    """Say at Ctrl-C that what was begun can be gone on with."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if not is_begun():
            raise
        raise StoppedError("stopped; what is done so far is kept. Go on with the same command and --resume") from stop


def _print_epoch(what: str, figures: Mapping[str, float]) -> None:
    """The figures of one epoch, on the error stream."""
    told = "  ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in figures.items() if name != "epoch")
    print(f"{what}: epoch {figures['epoch']:.0f}  {told}", file=sys.stderr)

"""The command line: parse, call, print."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from huiyi.errors import HuiyiError, InputError, OptionError

if TYPE_CHECKING:
    from huiyi.data import Columns, Table
    from huiyi.evaluate import Evaluation
    from huiyi.pipeline import Model
    from huiyi.reason import Domain
    from huiyi.values import Decision, Record

_STOPPED = 130  # by Ctrl-C, as shells count

app = typer.Typer(
    name="huiyi",
    help="From examples of what people say to a model that acts, asks or declines.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Text = Annotated[str | None, typer.Option("--text", metavar="COL", help="Column of the text.")]
LabelColumn = Annotated[
    str | None, typer.Option("--label", metavar="COL", help="Column of the label; A,B for several tasks.")
]
Fields = Annotated[str, typer.Option("--fields", metavar="A,B", help="Columns to take as form fields.")]
Ignore = Annotated[str, typer.Option("--ignore", metavar="C,D", help="Columns to leave out.")]
Where = Annotated[list[str] | None, typer.Option("--where", metavar="COL=VALUE", help="Keep only these rows.")]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Skip and count rows, pictures and recordings that cannot be read.")
]
Language = Annotated[str, typer.Option("--lang", metavar="en|zh", help="Language of what is printed.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Images = Annotated[
    list[Path] | None,
    typer.Option("--image", metavar="FILE", help="A picture that came along, or that holds the text; one or more."),
]
Audios = Annotated[
    list[Path] | None, typer.Option("--audio", metavar="FILE", help="A recording that came along; one or more.")
]
FormFields = Annotated[list[str] | None, typer.Option("--field", metavar="K=V", help="A form field.")]
Answers = Annotated[list[str] | None, typer.Option("--answer", metavar="K=V", help="A reply to a question.")]
MaxError = Annotated[float, typer.Option("--max-error", help="Largest share of wrong acts among acts.")]
OosRate = Annotated[float, typer.Option("--oos-rate", help="Share of records out of scope where the model will work.")]


def _version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        from huiyi import __version__

        print(f"huiyi {__version__}")
        raise typer.Exit


@app.callback()
def everywhere(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """From examples of what people say to a model that acts, asks or declines."""


@app.command()
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

    language = _language(lang)
    check_free(out)
    config = TrainConfig(
        max_error=max_error,
        oos_rate=oos_rate,
        signals=tuple(_listed(signals)),
        examples=not no_examples,
        seed=seed,
        effort=effort,
        encoder=encoder,
        image_encoder=image_encoder,
        tune=tune,
        pretexts=tuple(_listed(pretext)),
        minutes=minutes,
        track=track,
    )
    base = None if add_to is None else load(add_to)
    run_folder = out.with_name(f"{out.name}.run")
    with _progress() as progress, _resumable(lambda: is_begun(run_folder)):
        model = run(
            source,
            validation=validation,
            unlabelled=unlabelled,
            task=task,
            columns=_columns(text, label, fields, ignore, where),
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
    _print_training(model, language)
    _console().print(f"→ {out}", markup=False, highlight=False)


@app.command()
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
    from huiyi.evaluate import figures_table, labelled_rows, sources_table, write_report
    from huiyi.perceive import left_out
    from huiyi.pipeline import load

    language = _language(lang)
    model = load(folder)
    columns = _columns(text, label, fields or ",".join(model.fields), ignore, where)
    table = labelled_rows(model.tasks, test, columns, skip_bad=skip_bad)
    excused = _excusing(model) if skip_bad else []
    with _progress() as progress:
        evaluation = run(model, table, progress=lambda done, total: progress("rows", done, total))
    if report is not None:
        write_report(evaluation, report, language=language)
    if as_json:
        parts = {name: _as_plain(part) for name, part in evaluation.tasks.items()}
        print(json.dumps({**_as_plain(evaluation), **({"tasks": parts} if parts else {})}, ensure_ascii=False))
        return
    console = _console()
    for name, part in (evaluation.tasks or {"": evaluation}).items():
        if name:
            console.print(f"\n{name}", style="bold", markup=False, highlight=False)
        console.print(figures_table(part, language=language))
        if part.sources:
            console.print(sources_table(part, language=language))
        console.print(part.promise.describe(language), markup=False, highlight=False)
    _print_notices([*evaluation.notices, *left_out(excused)])
    if report is not None:
        console.print(f"→ {report}", markup=False, highlight=False)


@app.command()
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

    language = _language(lang)
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
        columns = _columns(text, label, fields or ",".join(model.fields), ignore, where)
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
    _console().print("\n".join(lines), markup=False, highlight=False)
    if svg is not None:
        _console().print(f"→ {svg}", markup=False, highlight=False)


@app.command()
def explain(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A saved model.")],
    said: Annotated[
        str | None,
        typer.Argument(metavar='"TEXT" | -', help="A text, or - for one on standard input.", show_default=False),
    ] = None,
    about: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Explain this label.", show_default="the one decided on")
    ] = None,
    reader: Annotated[str, typer.Option("--for", metavar="person|agent|auditor", help="Who asks.")] = "agent",
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="How words are weighed: chains, shapley or occlusion; by a tuned backbone: gradients, attention.",
        ),
    ] = "chains",
    seconds: Annotated[
        float | None, typer.Option(metavar="N", help="How long words may be weighed.", show_default="as needed")
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
    from huiyi.evaluate import audit, for_agent, for_person, proofs_in_words, write_explanation
    from huiyi.pipeline import load

    language = _language(lang)
    if reader not in ("person", "agent", "auditor"):
        raise OptionError(f"--for {reader!r} is not known; expected person, agent or auditor")
    if reader == "auditor" and seconds is not None:
        raise OptionError("--seconds: a time budget is never the same twice, so the record could not be replayed")
    if said is None and not (image or audio or field):
        raise OptionError("there is nothing to explain; expected a text, --image, --audio or --field")
    model = load(folder)
    said = sys.stdin.read() if said == "-" else said
    record = _record(model, said, image, audio, field, answer)
    if reader == "auditor":
        print(json.dumps(audit(model, record, about, method=method), ensure_ascii=False, indent=1))
        return
    explanation = model.explain(record, about, method=method, seconds=seconds, counterfactual=reader == "agent")
    decision = model.decide(record, prove=model.reasoner is not None)
    decision = decision.tasks.get(explanation.task, decision)
    proofs = proofs_in_words(model, record, decision, language) if decision.proofs else []
    if html is not None:
        heard = said or "\n".join(reading.text for reading in decision.readings.values())
        write_explanation(model, decision, explanation, heard, html, language=language, proofs=proofs)
    if as_json:
        print(json.dumps(asdict(explanation), ensure_ascii=False))
        return
    lines = (
        [for_person(model, decision, explanation, language)]
        if reader == "person"
        else for_agent(model, decision, explanation, language, proofs)
    )
    _console().print("\n".join(lines), markup=False, highlight=False)
    if html is not None:
        _console().print(f"→ {html}", markup=False, highlight=False)


@app.command()
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
    }[_language(lang)]
    try:
        document = json.loads(kept.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{kept} cannot be read as JSON; expected an auditor's record") from error
    if not isinstance(document, dict):
        raise DataError(f"{kept} holds no auditor's record; expected what `huiyi explain --for auditor` printed")
    differences = replay_audit(load(folder), document)
    lines = [said[1].format(line) for line in differences] or [said[0].format(kept, document["model"])]
    _console().print("\n".join(lines), markup=False, highlight=False)
    if differences:
        raise typer.Exit(1)


@app.command()
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

    language = _language(lang)
    columns = _columns(text, label, fields, ignore, where)
    with _progress() as progress:
        found = run(source, test=test, columns=columns, skip_bad=skip_bad, progress=progress)
    if as_json:
        print(json.dumps(check_json(found), ensure_ascii=False))
    else:
        _console().print(check_table(found, language))
        _print_notices(found.notices)


@app.command()
def demo(
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Keep the model here.")] = None,
    report: Annotated[Path, typer.Option(metavar="F.html", help="Where the report goes.")] = Path("report.html"),
    lang: Language = "en",
) -> None:
    """Train on the built-in service desk, measure, and show what it decides."""
    from huiyi.data.desk import FOLDER, desk
    from huiyi.evaluate import evaluate as run
    from huiyi.evaluate import figures_table, write_report
    from huiyi.storage import check_free
    from huiyi.train import train as learn

    language = _language(lang)
    if out is not None:
        check_free(out)
    test, strange = desk("test"), desk("oos")
    both = replace(
        test, records=test.records + strange.records, rows=test.rows + strange.rows, source="the desk's test"
    )
    with _progress() as progress:
        model = learn(desk("train"), task=FOLDER / "task.yaml", knowledge=_desk_knowledge(), progress=progress)
        evaluation = run(model, both, progress=lambda done, total: progress("rows", done, total))
    if out is not None:
        model.save(out)
    console = _console()
    _print_training(model, language)
    console.print(figures_table(evaluation, language=language))
    _print_examples(model, evaluation.records, evaluation.decisions)
    _print_media(model, language)
    _print_proof(model, language)
    write_report(evaluation, report, language=language)
    console.print(f"\n→ {report}", markup=False, highlight=False)


def main() -> None:
    """Run the command line. Exit code 2 and one line for what the user can mend, 1 for what is our fault."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a character shows a question mark
    try:
        code = app(standalone_mode=False)
        if code == _STOPPED:
            raise KeyboardInterrupt
        if code:
            sys.exit(code)
    except typer.Exit as leave:
        sys.exit(leave.exit_code)
    except HuiyiError as error:
        print(f"huiyi: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except _StoppedError as stop:
        print(f"huiyi: {stop}", file=sys.stderr)
        sys.exit(_STOPPED)
    except (KeyboardInterrupt, typer.Abort):
        print("huiyi: stopped; nothing was written", file=sys.stderr)
        sys.exit(_STOPPED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone, which is its right
        sys.exit(0)
    except Exception as error:
        show = getattr(error, "format_message", None)
        if show is None:
            raise
        said = show()
        if not said.startswith("Usage:"):  # which is what it says where nothing was asked for
            said = f"huiyi: {' '.join(said.split())} Try: huiyi --help"
        print(said, file=sys.stderr)
        sys.exit(2)


def _columns(text: str | None, label: str | None, fields: str, ignore: str, where: list[str] | None) -> Columns:
    """The options about columns, as one value."""
    from huiyi.data import Columns

    return Columns(text, label, tuple(_listed(fields)), tuple(_listed(ignore)), _pairs(where, "--where"))


def _listed(names: str) -> list[str]:
    """The parts of ``a,b``."""
    return [name.strip() for name in names.split(",") if name.strip()]


def _pairs(given: list[str] | None, option: str) -> dict[str, str]:
    """The pairs of repeated ``k=v``."""
    pairs = {}
    for pair in given or ():
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise OptionError(f"{option} {pair!r} is no pair; expected NAME=VALUE, such as {option} language=en")
        pairs[key.strip()] = value
    return pairs


def _language(lang: str) -> str:
    """The language asked for."""
    if lang not in ("en", "zh"):
        raise OptionError(f"--lang {lang!r} is not known; expected en or zh")
    return lang


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

    _print_notices([*table.notices, *_left_out(table.left_out)])
    excused = _excusing(model) if skip_bad else []
    for batch in batched(table.records):
        for decision in model.decide_all(batch, explain=explain, prove=prove):
            print(json.dumps(asdict(decision), ensure_ascii=False))
    _print_notices(left_out(excused))


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
        fields=_pairs(field, "--field"),
        answers=_pairs(answer, "--answer"),
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


def _console() -> Any:
    """Where results are printed."""
    from rich.console import Console

    return Console(soft_wrap=True)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Progress bars on the error stream, one for each thing done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    shape = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*shape, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bars:
        known: dict[str, TaskID] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in known:
                known[what] = bars.add_task(what, total=total)
            bars.update(known[what], completed=done, total=total)

        yield tell


class _StoppedError(Exception):
    """Ctrl-C, after which something is left to be said."""


@contextmanager
def _resumable(is_begun: Callable[[], bool]) -> Iterator[None]:
    """Say at Ctrl-C that what was begun can be gone on with."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if not is_begun():
            raise
        raise _StoppedError("stopped; what is done so far is kept. Go on with the same command and --resume") from stop


def _print_training(model: Model, language: str) -> None:
    """What was trained, and what it promises."""
    summary, console = model.summary, _console()
    took = {"en": f"Trained in {summary['seconds']} s.", "zh": f"训练用时 {summary['seconds']} 秒。"}
    console.print(took[language], markup=False, highlight=False)
    for name, skill in model.skills.items():
        rows, labels = skill.summary["rows"], skill.summary["labels"]
        weights = ", ".join(f"{head} {weight:g}" for head, weight in skill.summary["weights"].items())
        told = {
            "en": f"{name}: {rows:,} rows, {labels:,} labels. Signals: {weights}.",
            "zh": f"{name}：{rows:,} 条数据，{labels:,} 个标签。信号：{weights}。",
        }
        console.print(told[language], markup=False, highlight=False)
        console.print(skill.decider.promise.describe(language), markup=False, highlight=False)
    if "search" in summary:
        console.print(_searched(summary["search"], language), markup=False, highlight=False)
    _print_notices([*summary["notices"], *_left_out(summary["left_out_columns"])])


def _searched(search: Mapping[str, Any], language: str) -> str:
    """What a search found."""
    words = {
        "en": (
            "Search: {trials} trials, {cut_short} of them cut short. Held-out loss {usual_loss} by the usual settings, "
            "{best_loss} by the best, {together_loss} by the {used} together that are used.",
            " What mattered: {}.",
        ),
        "zh": (
            "搜索：{trials} 次试验，其中 {cut_short} 次提前结束。保留样本上的损失：默认设置 {usual_loss}，"
            "最好的设置 {best_loss}，合用 {used} 个时 {together_loss}。",
            "起作用的设置：{}。",
        ),
    }
    told, mattered = words[language]
    shares = ", ".join(f"{name} {share:.0%}" for name, share in list(search["mattered"].items())[:3])
    return told.format(**search, used=len(search["members"])) + (mattered.format(shares) if shares else "")


def _left_out(columns: Sequence[str]) -> list[str]:
    """Name the columns that were not used, if there are any."""
    return [f"columns not used: {', '.join(columns)}"] if columns else []


def _print_epoch(what: str, figures: Mapping[str, float]) -> None:
    """The figures of one epoch, on the error stream."""
    told = "  ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in figures.items() if name != "epoch")
    print(f"{what}: epoch {figures['epoch']:.0f}  {told}", file=sys.stderr)


def _print_notices(notices: Sequence[str]) -> None:
    """What the user should know, on the error stream."""
    for notice in notices:
        print(f"note: {notice}", file=sys.stderr)


def _print_examples(model: Model, records: Sequence[Record], decisions: Sequence[Decision]) -> None:
    """One act, one question and one refusal in each language; the refusal of something that is out of scope."""
    from huiyi.decide import language_of
    from huiyi.evaluate import in_words
    from huiyi.values import OUT_OF_SCOPE

    for language in ("en", "zh"):
        for kind in ("act", "clarify", "decline"):
            for record, decision in zip(records, decisions, strict=True):
                is_apt = kind != "decline" or OUT_OF_SCOPE in record.labels.values()
                if decision.kind == kind and is_apt and language_of(record.text or "") == language:
                    lines = [f"\n“{record.text}”", *in_words(decision, model, record.text or "", language)]
                    _console().print("\n".join(lines), markup=False, highlight=False)
                    break


def _print_media(model: Model, language: str) -> None:
    """What the desk's model, which learnt from texts, makes of pictures and recordings of messages."""
    from huiyi.data.desk import desk
    from huiyi.errors import MissingExtraError
    from huiyi.evaluate import in_words

    words = {
        "en": {"screens": "messages as pictures", "voices": "messages as recordings", "right": "told right"},
        "zh": {"screens": "条图片形式的消息", "voices": "条录音形式的消息", "right": "条判断正确"},
    }[language]
    for part in ("screens", "voices"):
        records = desk(part).records
        try:
            decisions = model.decide_all(records)
        except MissingExtraError as error:
            _print_notices([str(error)])
            continue
        pairs = list(zip(records, decisions, strict=True))
        right = sum(decision.label == record.labels["intent"] for record, decision in pairs)
        told = f"\n{len(records)} {words[part]}, {right} {words['right']}"
        shown = next((decision for _, decision in pairs if decision.kind == "act"), decisions[0])
        _console().print("\n".join([told, *in_words(shown, model, "", language)]), markup=False, highlight=False)


def _desk_knowledge() -> Domain | tuple[()]:
    """The desk's facts and rules; none where the extra that reads them is not installed, which is said."""
    from huiyi.data.desk import KNOWLEDGE
    from huiyi.errors import MissingExtraError
    from huiyi.reason import Domain

    try:
        return Domain.read(KNOWLEDGE)
    except MissingExtraError as error:
        _print_notices([str(error)])
        return ()


def _print_proof(model: Model, language: str) -> None:
    """What the desk's rules make of a message: what they ask, what follows from the reply and why; and of another."""
    from datetime import datetime

    from huiyi.evaluate import in_words, proofs_in_words
    from huiyi.values import Record

    if model.reasoner is None:
        return
    text, here, there, reply = {
        "en": ("I want to return my {} ticket and get my money back", "saver", "flex", "reply"),
        "zh": ("行程取消了，想退掉{}", "特价票", "灵活票", "回答"),
    }[language]
    asked_on, answers = datetime(2026, 11, 18), {"departs_on": "2026-11-20"}
    asked, told, other = (
        Record(text=text.format(here), time=asked_on),
        Record(text=text.format(here), time=asked_on, answers=answers),
        Record(text=text.format(there), time=asked_on, answers=answers),
    )
    lines = []
    for record in (asked, told, other):
        decision = model.decide(record, prove=record is told)
        replies = [f"{reply}: {value}" for value in record.answers.values()]
        lines += ["", *([f"“{record.text}”"] if record is not told else []), *replies]
        lines += in_words(decision, model, record.text or "", language)
        lines += proofs_in_words(model, record, decision, language) if record is told else []
    _console().print("\n".join(lines), markup=False, highlight=False)

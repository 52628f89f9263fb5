"""`plan` and `draw`: listening plans from files, and their seeded draws."""

from pathlib import Path

import typer

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _, ngettext
from qa_core.cli.options import Json, Name, add_commands, add_family, flag, print_json, read_toml


def register(app: typer.Typer) -> None:
    help_text = "Listening plans: who listens to how much, of whom and why."
    add_family(app, "plan", help_text, add=add_plan, list=list_plans, close=close_plan)
    add_commands(app, draw=draw)


def add_plan(file: Path = typer.Argument(metavar="FILE.toml"), as_json: Json = False) -> None:
    """Add a plan from a file (docs/contract.md, section 7)."""
    from qa_core.quality import sampling

    content = read_toml(file, "bad_plan")
    sampling.add_plan(Viewer.SYSTEM, content)
    [plan] = [
        plan
        for plan in sampling.find_plans(Viewer.SYSTEM)
        if plan.name == str(content["name"]).strip()
    ]
    if as_json:
        return print_json(plan.as_json())
    text = _(
        "The plan {name} is added. Draw from it with: python -m qa_core draw --plan {name} "
        "--seed N",
        name=plan.name,
    )
    print(text)


def list_plans(as_json: Json = False) -> None:
    """List every plan with its progress."""
    from qa_core.quality import sampling

    plans = sampling.find_plans(Viewer.SYSTEM)
    if as_json:
        return print_json([plan.as_json() for plan in plans])
    closed = _("(closed)")
    for plan in plans:
        text = _(
            "{name}: {purpose}, {first} – {last}, {n} per advisor; drawn {drawn}, done "
            "{done}, overdue {overdue}, missing {short}",
            name=f"{plan.name} {closed}" if plan.is_closed else plan.name,
            purpose=plan.purpose,
            first=plan.starts_on.isoformat(),
            last=plan.ends_on.isoformat(),
            n=plan.per_advisor,
            drawn=plan.drawn,
            done=plan.done,
            overdue=plan.overdue,
            short=plan.short,
        )
        print(text)
    if not plans:
        print(_("There are no listening plans. Add one with: python -m qa_core plan add FILE.toml"))


def close_plan(name: Name) -> None:
    """Close a plan to further draws; what was drawn stays with its evaluators."""
    from qa_core.quality import sampling

    sampling.close(Viewer.SYSTEM, name)
    print(_("The plan {name} is closed.", name=name))


def draw(
    plan: str = typer.Option(..., metavar="NAME", help="The plan to draw for."),
    seed: int = typer.Option(
        ..., metavar="N", help="The same plan, seed and contacts give the same list."
    ),
    dry_run: bool = flag("--dry-run", "Show what would be drawn; write nothing."),
    as_json: Json = False,
) -> None:
    """Draw the contacts that a plan still lacks, and assign them to its evaluators."""
    from qa_core.metrics.query.sampling_frame import REASONS
    from qa_core.quality import sampling

    result = sampling.draw(Viewer.SYSTEM, plan, seed, dry_run)
    if as_json:
        return print_json(result.as_json())
    drawn, short = len(result.drawn), sum(result.short.values())
    text = ngettext(
        "{n} contact drawn from {frame}.",
        "{n} contacts drawn from {frame}.",
        drawn,
        frame=result.frame,
    )
    print(text)
    for reason, count in result.excluded.items():
        print(f"    {count:>9}  {_(REASONS[reason])}")
    if short:
        print(ngettext("{n} is missing:", "{n} are missing:", short))
        for advisor, missing in result.short.items():
            print(f"    {missing:>9}  {result.name_of(advisor)}")

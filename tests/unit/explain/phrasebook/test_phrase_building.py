"""Building the phrasebook: only what passes, the same each time, and a person's word stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from cli.main import app
from cli.words import phrase_building as terminal
from explain.facts.signature import every_signature, facts_of_signature
from explain.language_model.message import Message
from explain.language_model.prompt import tuned_request
from explain.phrasebook.book import judge_sentence
from explain.phrasebook.building import (
    GROUP,
    Build,
    Coverage,
    kept_phrases,
    measure_coverage,
    pending_groups,
    reference_phrases,
)
from explain.phrasebook.files import write_phrases
from explain.phrasebook.writing import Author
from explain.templates.drafts import sentences_for
from tests.support.messages import NOON, phrase
from vigil.domain.phrase import Phrase

ALL = list(every_signature())
SOME = ALL[:40]
BY_REQUEST = {tuned_request(reported): reported for reported in ALL}


class Tables:
    """Writes what the tables say, and at times what must not be said."""

    tuned = True

    def __init__(self, identity: str = "base@1+words@1", refusing: int = 0):
        self.identity = identity
        self.refusing = refusing
        self.asked: list[tuple[int, int]] = []

    def write_many(
        self, prompts: Sequence[list[Message]], candidates: int, seed: int
    ) -> list[list[str]]:
        self.asked.append((len(prompts), seed))
        found = []
        for number, prompt in enumerate(prompts):
            reported = BY_REQUEST[prompt[0]["content"]]
            possible = [
                s.text
                for s in sentences_for(facts_of_signature(reported))
                if tuple(sorted(s.slots)) == reported.slots
            ]
            bad = number < self.refusing
            found.append(["You are fine!"] if bad else ["All is well.", *possible][:candidates])
        return found


def built(writer: Tables, kept: Sequence[Phrase] = (), wanted: Sequence = SOME) -> Build:  # type: ignore[type-arg]
    made = Build(writer, kept, candidates=3, seed=7, now=NOON)
    list(made.run(pending_groups(wanted, kept)))
    return made


def test_only_what_the_verifier_passes_is_kept() -> None:
    making = Build(Tables(), [], candidates=3, seed=7, now=NOON)
    groups = list(making.run(pending_groups(SOME, [])))
    assert [len(group.asked) for group in groups] == [GROUP, len(SOME) - GROUP]
    assert groups[0].refused["reassurance"] == GROUP
    for made in making.phrases.values():
        reported = next(each for each in SOME if each.key == made.signature)
        assert judge_sentence(reported, made.text) == ()
        assert (made.model, made.adapter, made.status) == ("base@1", "words@1", "draft")
        assert (made.time, made.revision, made.author) == (NOON, 0, "model")
    (reach,) = measure_coverage(SOME, making.phrases.values())
    assert reach == Coverage("care_team", 40, 40)


def test_what_was_refused_whole_is_asked_once_more_with_another_seed() -> None:
    writer = Tables(refusing=2)
    making = built(writer)
    assert writer.asked == [(GROUP, 7), (2, 1007), (8, 7), (2, 1007)]
    (reach,) = measure_coverage(SOME, making.phrases.values())
    assert reach.covered == 36


def test_a_build_that_was_stopped_goes_on_and_gives_the_same() -> None:
    whole = built(Tables()).phrases
    making = Build(Tables(), [], candidates=3, seed=7, now=NOON)
    next(iter(making.run(pending_groups(SOME, []))))  # stopped after the first group
    writer = Tables()
    again = built(
        writer, kept_phrases(making.phrases.values(), Author(writer.identity, writer.tuned))
    )
    assert again.phrases == whole
    assert writer.asked == [(8, 7)]
    writer = Tables()
    assert built(writer, list(whole.values())).phrases == whole
    assert writer.asked == []


def test_another_adapter_writes_anew_and_a_persons_word_stays() -> None:
    old = list(built(Tables()).phrases.values())
    at = {"time": NOON + timedelta(days=1)}
    approved, banned = old[0], old[1]
    reviewed = [
        phrase(approved.text, signature=approved.signature, status="approved", revision=1, **at),
        phrase(banned.text, signature=banned.signature, status="banned", revision=1, **at),
        phrase("Written by hand.", signature=old[2].signature, author="person", status="approved"),
    ]
    author = Author("base@1+words@2", tuned=True)
    kept = kept_phrases([*reviewed, *old[2:]], author)
    assert kept == reviewed
    new = built(Tables("base@1+words@2"), kept)
    held = new.phrases.values()
    assert set(reviewed) <= set(held)
    assert {each.adapter for each in held if each.revision == 0 and each.author == "model"} == {
        "words@2"
    }


def test_a_banned_sentence_is_not_written_again() -> None:
    reported = SOME[0]
    texts = [
        s.text
        for s in sentences_for(facts_of_signature(reported))
        if tuple(sorted(s.slots)) == reported.slots
    ]
    banned = [
        phrase(text, signature=reported.key, status="banned", revision=1, by="kim")
        for text in texts
    ]
    making = built(Tables(), banned, [reported])
    assert list(making.phrases.values()) == banned
    assert measure_coverage([reported], making.phrases.values()) == [Coverage("care_team", 0, 1)]


def test_a_draft_of_another_version_is_let_go() -> None:
    strange = phrase("X.", signature="en/patient/x.above/opened/-/-/-")
    assert kept_phrases([strange], Author("scripted@test", tuned=False)) == []


# ---- at the terminal


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(terminal, "_writer", lambda threads: Tables())
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1763726400")
    return tmp_path / "phrases.jsonl"


def vigil(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["explain", "phrasebook", *arguments])
    return done.exit_code, done.output


def test_build_check_and_list(written: Path) -> None:
    _, reported = vigil("build", "--out", str(written), "--signature", "patient/heart_rate_low")
    assert "4 signatures are covered by 4 sentences written by hand" in reported
    assert "none: en/patient/heart_rate_low.below/opened/-/blood_pressure_low.below" in reported
    assert "refused: reassurance" in reported
    written.unlink()
    part = ("--signature", "patient/heart_rate_low.below/closed")
    code, reported = vigil("build", "--out", str(written), *part)
    assert code == 0, reported
    assert "100.0%" in reported
    first = written.read_bytes()
    code, reported = vigil("build", "--out", str(written), *part)
    assert "0 sentences were written" in reported
    assert written.read_bytes() == first
    written.unlink()
    vigil("build", "--out", str(written), *part)
    assert written.read_bytes() == first  # from nothing, the same bytes

    code, reported = vigil("check", str(written))
    assert code == 0
    assert ", 0 refused" in reported
    code, reported = vigil("list", str(written), "--signature", "/closed/", "--status", "draft")
    assert "en/patient/heart_rate_low.below/closed" in reported
    assert "opened" not in reported
    assert vigil("list", str(written), "--status", "banned") == (0, "")
    assert vigil("list", str(written), "--status", "good")[0] == 2


def test_check_names_the_line(written: Path) -> None:
    good = phrase()
    write_phrases(written, [good, phrase("Your heart rate is low, at {heart_rate}.")])
    code, reported = vigil("check", str(written))
    assert code == 1
    assert "direction" in reported
    assert "2 phrases, 1 refused" in reported
    assert "line " in reported


def test_what_the_model_cannot_say_is_said_by_hand() -> None:
    making = built(Tables(refusing=2))
    silent = {reported.key for reported in SOME} - {
        each.signature for each in making.phrases.values()
    }
    assert silent
    filled = reference_phrases(SOME, making.phrases.values(), NOON)
    assert {each.signature for each in filled} == silent
    assert {(each.author, each.status, each.model) for each in filled} == {("person", "draft", "")}
    everything_now = [*making.phrases.values(), *filled]
    assert reference_phrases(SOME, everything_now, NOON) == []
    banned = [replace(each, status="banned", revision=1) for each in filled]
    assert reference_phrases(SOME, [*making.phrases.values(), *banned], NOON) == []

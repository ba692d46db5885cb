"""The last part of a move, cut off at each of its steps: the store in force is whole, and the next start goes on."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes import FakeClock, FakeConfig, InlinePool
from whimbrel.app import store_mark
from whimbrel.app.installation import Installation
from whimbrel.app.store_move import plan as plans
from whimbrel.app.store_move.last_part import ATTEMPTS, end_move
from whimbrel.app.store_move.mover import Mover
from whimbrel.app.store_move.prospect import look
from whimbrel.backends.disk.space import SpaceSettings
from whimbrel.backends.disk.tree_copy import MARK
from whimbrel.core.store_move import Left, Move, MoveRefused, Plan


class PowerCut(BaseException):
    """The process ends here: nothing after it happens."""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "server"
    directory.mkdir()
    (directory / "mailserver.cfg").write_text('<mailserver version="1.0"></mailserver>\n')
    store = directory / "store"
    store_mark.check(directory, store)
    messages = store / "mail" / "a.test" / "ann" / "INBOX" / "#msgs"
    messages.mkdir(parents=True)
    (messages / "00000001.eml").write_bytes(b"first")
    os.link(messages / "00000001.eml", messages / "00000002.eml")
    (store / "generation").write_text("{}")
    return directory


def planned(directory: Path, target: Path, *, by_rename: bool = False) -> Move:
    """A move whose copy was made, but for what came since."""
    move = Move("m1", str(directory / "store"), str(target), by_rename, "ready", 1.0, "root")
    if not by_rename:
        target.mkdir()
        mark = plans.marked(directory / "store.id")["id"]
        plans.write_durably(target / MARK, {"id": "m1", "store": mark, "from": move.source})
    plans.write(directory, Plan(move))
    return move


def in_force(directory: Path) -> Path:
    installation = Installation(directory)
    installation.load_config()
    store_mark.check(directory, installation.store)
    return installation.store


def content(store: Path) -> dict[str, bytes]:
    return {str(each.relative_to(store)): each.read_bytes() for each in store.rglob("*.eml")}


@pytest.mark.parametrize("by_rename", [False, True])
def test_cut_off_at_each_step_one_whole_store_is_in_force(
    tmp_path: Path, directory: Path, monkeypatch: pytest.MonkeyPatch, by_rename: bool
) -> None:
    whole, steps = content(directory / "store"), 0
    for step in range(1, 400):
        place = tmp_path / f"at{step}"
        place.mkdir()
        own = place / "server"
        shutil.copytree(directory, own)
        target = place / "new"
        planned(own, target, by_rename=by_rename)
        left = [step]

        def cutting(before: Callable[..., Any], left: list[int] = left) -> Callable[..., Any]:
            def call(*words: Any, **named: Any) -> Any:
                left[0] -= 1
                if left[0] <= 0:
                    raise PowerCut
                return before(*words, **named)

            return call

        with monkeypatch.context() as patch:
            for name in ("replace", "rename", "unlink", "mkdir", "fsync", "link", "open"):
                patch.setattr(os, name, cutting(getattr(os, name)))
            try:
                end_move(Installation(own))
            except PowerCut:
                steps += 1
            else:
                break
        # Whatever looks at it now, before the move is ended, either sees a whole store or is refused.
        with contextlib.suppress(store_mark.StoreMissing):
            assert content(in_force(own)) == whole
        end_move(Installation(own))
        assert in_force(own) == target, step
        assert content(target) == whole
        assert plans.read(own).move is not None
        assert not any(each.startswith("store.moving") for each in os.listdir(target))
        old = own / "store"
        if not by_rename:
            with pytest.raises(store_mark.StoreMissing, match="moved to"):
                store_mark.check(own, old)
            assert [each.path for each in plans.read(own).left] == [str(old)]
        assert end_move(Installation(own)) == []
    assert steps > (10 if by_rename else 25)


def test_what_cannot_be_written_leaves_the_old_store_in_force(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(directory, tmp_path / "new")
    before, link = os.replace, []

    def full(one: Any, other: Any, **named: Any) -> None:
        if str(other).endswith(".eml"):
            link.append(other)
            raise OSError(28, "No space left on device", str(other))
        before(one, other, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        (event,) = end_move(Installation(directory))
    assert event["name"] == "store.move-failed" and "No space left" in event["fields"]["reason"]
    assert in_force(directory) == directory / "store"
    plan = plans.read(directory)
    assert plan.move is not None and plan.move.state == "failed"
    assert [(each.path, each.kind) for each in plan.left] == [(str(tmp_path / "new"), "copy")]
    assert not (tmp_path / "new" / "store.id").exists()


@pytest.mark.parametrize("by_rename", [False, True])
def test_a_configuration_that_cannot_be_written_leaves_the_old_store_in_force(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_rename: bool
) -> None:
    planned(directory, tmp_path / "new", by_rename=by_rename)
    before = os.replace

    def full(one: Any, other: Any, **named: Any) -> None:
        if str(other).endswith("mailserver.cfg"):
            raise OSError(28, "No space left on device", str(other))
        before(one, other, **named)

    monkeypatch.setattr(os, "replace", full)
    (event,) = end_move(Installation(directory))
    assert event["name"] == "store.move-failed"
    monkeypatch.undo()
    assert in_force(directory) == directory / "store" and content(directory / "store")


def test_starts_that_die_again_and_again_give_it_up(directory: Path, tmp_path: Path) -> None:
    move = planned(directory, tmp_path / "new")
    plans.write(directory, Plan(replace(move, attempts=ATTEMPTS)))
    (event,) = end_move(Installation(directory))
    assert event["name"] == "store.move-failed" and in_force(directory) == directory / "store"


def test_a_target_whose_disk_is_not_mounted_any_more_is_not_taken(directory: Path, tmp_path: Path) -> None:
    planned(directory, tmp_path / "new")
    (tmp_path / "new" / MARK).unlink()
    (event,) = end_move(Installation(directory))
    assert "mounted" in event["fields"]["reason"] and in_force(directory) == directory / "store"
    assert os.listdir(tmp_path / "new") == []


def test_a_store_that_was_moved_can_be_gone_back_to_as_the_message_says(directory: Path, tmp_path: Path) -> None:
    planned(directory, tmp_path / "new")
    end_move(Installation(directory))
    old = directory / "store"
    (old / "store.moved").rename(old / "store.id")
    store_mark.check(directory, old)


def mover(directory: Path) -> Mover:
    installation = Installation(directory)
    installation.load_config()
    return Mover(installation, FakeConfig(SpaceSettings()), InlinePool(), FakeClock())  # type: ignore[arg-type]


def test_only_what_a_move_has_left_is_deleted(directory: Path, tmp_path: Path) -> None:
    planned(directory, tmp_path / "new")
    end_move(Installation(directory))
    asyncio.run(only_what_a_move_has_left(directory, tmp_path))


async def only_what_a_move_has_left(directory: Path, tmp_path: Path) -> None:
    old, at = directory / "store", mover(directory)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    (old / "mail" / "link").symlink_to(outside)
    for path in (tmp_path / "new", tmp_path, directory, tmp_path / "outside"):
        with pytest.raises(MoveRefused, match="No move has left"):
            await at.left(str(path))
    forged = plans.read(directory).with_left(Left(str(tmp_path), "store", "m1", 0.0))
    plans.write(directory, forged)
    with pytest.raises(MoveRefused, match="has to do with"):
        await at.left(str(tmp_path))
    left = await at.left(str(old))
    (old / "store.moved").rename(old / "elsewhere")
    with pytest.raises(MoveRefused, match="has not the mark"):
        await at.left(str(old))
    (old / "elsewhere").rename(old / "store.moved")
    async for _ in at.delete(left):
        pass
    assert not old.exists() and (outside / "kept").exists()
    assert str(old) not in [each.path for each in plans.read(directory).left]


def test_a_move_that_its_server_has_not_survived_is_shown_as_failed(directory: Path, tmp_path: Path) -> None:
    move = planned(directory, tmp_path / "new")
    plans.write(directory, Plan(replace(move, state="copying")))
    plan = asyncio.run(mover(directory).plan())
    assert plan.move is not None and (plan.move.state, plan.left[0].kind) == ("failed", "copy")


def test_another_store_and_other_files_are_no_place(directory: Path, tmp_path: Path) -> None:
    target = tmp_path / "new"
    target.mkdir()
    (target / MARK).write_text('{"id": "x", "store": "of another"}')
    limits = SpaceSettings()
    with pytest.raises(MoveRefused, match="of another store"):
        look(directory, directory / "store", target, limits)
    (target / MARK).unlink()
    (target / "store.moved").write_text("{}")
    with pytest.raises(MoveRefused, match="moved away from"):
        look(directory, directory / "store", target, limits)
    (target / "store.moved").unlink()
    assert look(directory, directory / "store", target, limits).by_rename
    (target / "lost+found").mkdir()
    assert not look(directory, directory / "store", target, limits).by_rename

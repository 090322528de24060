"""Submissions are found in whatever a school's system exports, and nothing that was handed in breaks the others'."""

import io
import json
import os
import re
import stat
import subprocess
import sys
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from course.errors import SubmissionError
from course.grading.grades import MAX_NOTEBOOK
from course.grading.submissions.collect import collect
from course.grading.submissions.naming import by_export, by_file_name
from course.grading.submissions.roster import read_roster
from course.legible import presentable
from course.notebook.workspace import EARLIER
from tests.conftest import ROOT

NOTEBOOK = json.dumps(
    {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
        "cells": [
            {
                "cell_type": "code",
                "id": "a",
                "metadata": {},
                "source": "# exercise: 02-freeze-backbone\ndef freeze(module): ...\n",
            }
        ],
    }
)
CANVAS_ROSTER = """\
Student,ID,SIS User ID,SIS Login ID,Section,Essay (77)
    Points Possible,,,,,10.0
"Doe, Jane",1234,S9,jdoe,A,
"Müller, Anna-Lena",1235,S8,alm,A,
"Student, Test",9999,,,A,
"""


def tree(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(NOTEBOOK if path.suffix == ".ipynb" else "x")
    return folder


def zipped(path, *names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, NOTEBOOK)
    return path


def learners(*sources, **options):
    return [submission.learner for submission in collect(sources, tell=lambda line: None, **options)]


def only(*sources, **options):
    (submission,) = collect(sources, tell=lambda line: None, **options)
    return submission


@pytest.mark.parametrize(
    ("name", "learner", "late"),
    [
        ("doejane_1234_56789_02_freeze_the_backbone-1.ipynb", "doejane_1234", False),
        ("doejane_LATE_1234_56789_x.ipynb", "doejane_1234", True),
        ("müllerannalena_1235_5_x_1_2_y.ipynb", "müllerannalena_1235", False),
        ("LATE_anon_aB3xZ_55_x.ipynb", "anon_aB3xZ", True),
        ("doejane_1234_text.html", "doejane_1234", False),
        ("Jane Doe_1234_assignsubmission_file", "Jane Doe_1234", False),
        ("Jane Doe_1234_assignsubmission_file_", "Jane Doe_1234", False),
        ("Jane Doe_1234_assignsubmission_file_02.ipynb", "Jane Doe_1234", False),
        ("Participant_17_assignsubmission_onlinetext", "Participant_17", False),
        ("Essay 1_jdoe_attempt_2025-03-01-23-59-59_02.ipynb", "jdoe", False),
    ],
)
def test_the_names_that_systems_export_are_understood(name, learner, late):
    owner = by_export(name)
    assert (owner.label, owner.late) == (learner, late)


@pytest.mark.parametrize("name", ["jdoe.ipynb", "02_freeze_the_backbone.ipynb", "jane_02_2024_x.ipynb", "a_b_c.ipynb"])
def test_other_names_are_not_taken_for_exported_ones(name):
    assert by_export(name) is None


@pytest.mark.parametrize(
    ("name", "learner"),
    [
        ("jdoe.ipynb", "jdoe"),
        ("jdoe_02.ipynb", "jdoe"),
        ("02-jdoe.ipynb", "jdoe"),
        ("02_freeze_the_backbone_jdoe.ipynb", "jdoe"),
        ("jdoe-02_freeze_the_backbone (1).ipynb", "jdoe"),
        ("jdoe_02_freeze_the_backbone-Copy1.ipynb.txt", "jdoe"),
        ("student_42.ipynb", "student_42"),
        ("02_freeze_the_backbone.ipynb", ""),
        ("02.ipynb", ""),
        ("Untitled3.ipynb", ""),
        ("homework 2.ipynb", ""),
    ],
)
def test_a_learner_is_read_from_a_file_name(name, learner):
    assert by_file_name(name)[0] == learner


def test_a_learners_name_is_plain_text_and_two_names_stay_two():
    odd = presentable("a\x1b[31m\n\x00b\u202ec\udcff")
    assert odd.isprintable()
    assert presentable("x" * 5000) != presentable("x" * 5001)
    assert len(presentable("x" * 5000)) < 150
    assert presentable("a\x01") != presentable("a\x02")
    assert presentable("Jose\u0301") == "Jos\u00e9"
    assert presentable(" \n") == "(no name)"


def test_a_folder_a_learner(tmp_path):
    tree(
        tmp_path / "class",
        "anna/02.ipynb",
        "ben/deep/er/x.ipynb",
        "ben/data.csv",
        "ben/torch.py",
        "ben/course/models.py",
    )
    found = collect([tmp_path / "class"])
    assert [(one.learner, one.path.name, one.problem) for one in found] == [
        ("anna", "02.ipynb", ""),
        ("ben", "x.ipynb", ""),
    ]


def test_a_file_a_learner(tmp_path):
    tree(tmp_path, "class/jdoe.ipynb", "class/ben_02.ipynb", "class/roster.csv", "class/torch.py", "class/random.py")
    assert learners(tmp_path / "class") == ["ben", "jdoe"]


def test_a_number_at_the_end_of_a_name_is_the_learners_unless_the_notebook_is_of_that_chapter(tmp_path):
    tree(tmp_path / "class", "student_01.ipynb", "student_02.ipynb", "student_03.ipynb")
    assert learners(tmp_path / "class") == ["student", "student_01", "student_03"]


def test_one_learners_folder_or_zip_with_released_names_is_called_as_the_folder_or_zip(tmp_path):
    tree(tmp_path, "anna/02_freeze_the_backbone.ipynb", "anna/03_replace_the_head.ipynb")
    zipped(tmp_path / "ben.zip", "homework/02_freeze_the_backbone.ipynb", "homework/.ipynb_checkpoints/02.ipynb")
    assert learners(tmp_path / "anna") == ["anna", "anna"]
    assert learners(tmp_path / "ben.zip") == ["ben"]


def test_hidden_files_checkpoints_and_what_macs_add_are_ignored(tmp_path):
    tree(tmp_path / "class", "anna/02.ipynb", "anna/.ipynb_checkpoints/02-checkpoint.ipynb", "anna/.hidden.ipynb")
    tree(tmp_path / "class", "__MACOSX/anna/._02.ipynb", ".Trash/ben/02.ipynb")
    assert learners(tmp_path / "class") == ["anna"]


def test_what_an_update_kept_of_an_earlier_notebook_is_not_graded(tmp_path):
    tree(tmp_path / "class", "anna/02.ipynb", f"anna/{EARLIER}/02 (before 2026-12-01).ipynb")
    assert learners(tmp_path / "class") == ["anna"]


def test_globs_and_files_and_folders_named_one_by_one(tmp_path):
    tree(tmp_path / "class", "anna/hw.ipynb", "ben/hw.ipynb", "ben/other.txt")
    assert learners(f"{tmp_path}/class/*/*.ipynb") == ["anna", "ben"]
    assert learners(tmp_path / "class/anna/hw.ipynb", tmp_path / "class/ben/hw.ipynb") == ["anna", "ben"]
    assert learners(tmp_path / "class/anna", tmp_path / "class/ben") == ["anna", "ben"]
    assert learners(f"{tmp_path}/class/*") == ["anna", "ben"]
    assert learners(tmp_path / "class", f"{tmp_path}/class/**/*.ipynb") == ["anna", "ben"]  # each once


def test_canvas(tmp_path):
    zipped(
        tmp_path / "submissions.zip", "doejane_LATE_1234_5_02.ipynb", "doejane_1234_6_02-1.ipynb", "leeb_77_8_02.ipynb"
    )
    found = collect([tmp_path / "submissions.zip"], due=datetime(2000, 1, 1, tzinfo=UTC), tell=lambda line: None)
    # The dates are those of the download, so `due` makes nobody late.
    assert [(one.learner, one.late) for one in found] == [
        ("doejane_1234", False), ("doejane_1234", True), ("leeb_77", False),
    ]  # fmt: skip


def test_a_due_date_that_a_download_cannot_answer_is_said(tmp_path):
    lines = []
    source = zipped(tmp_path / "submissions.zip", "doejane_1234_6_02.ipynb")
    collect([source], due=datetime(2000, 1, 1, tzinfo=UTC), tell=lines.append)
    assert len(lines) == 1 and "LATE" in lines[0]


def test_canvas_with_its_roster(tmp_path):
    roster = tmp_path / "grades.csv"
    roster.write_text(CANVAS_ROSTER, encoding="utf-8-sig")
    zipped(tmp_path / "s.zip", "doejane_1234_5_02.ipynb", "müllerannalena_1235_6_02.ipynb", "doejane_4321_7_02.ipynb")
    lines = []
    found = collect([tmp_path / "s.zip"], roster=roster, tell=lines.append)
    assert [one.learner for one in found] == ["alm", "doejane_4321", "jdoe"]  # a namesake is somebody else
    assert lines == ["not in the roster: doejane_4321; graded under the names that their files have"]


@pytest.mark.parametrize("slash", ["/", "_", "_/"])
def test_moodle_in_folders_and_flat(tmp_path, slash):
    names = [
        f"{name}_assignsubmission_file{slash}02_freeze_the_backbone.ipynb" for name in ("Jane Doe_17", "Ben Li_18")
    ]
    assert learners(zipped(tmp_path / "m.zip", *names)) == ["Ben Li_18", "Jane Doe_17"]
    roster = tmp_path / "worksheet.csv"
    roster.write_text(
        "Identifier,Full name,Email address,Status,Grade,Last modified (submission)\n"
        'Participant 17,Jane Doe,jane@x.org,Submitted,,"Saturday, 1 March 2025, 10:03 AM"\n'
        "Participant 18,Ben Li,ben@x.org,Submitted,,-\n"
    )
    late = collect([tmp_path / "m.zip"], roster=roster, due=datetime(2025, 2, 28), tell=lambda line: None)
    assert [(one.learner, one.late) for one in late] == [("ben@x.org", False), ("jane@x.org", True)]


def test_blackboard(tmp_path):
    tree(
        tmp_path / "bb", "Essay_jdoe_attempt_2025-03-01-23-59-59_02.ipynb", "Essay_jdoe_attempt_2025-03-01-23-59-59.txt"
    )
    one = only(tmp_path / "bb", due=datetime(2025, 3, 1))
    assert one.learner == "jdoe" and one.late and not one.problem
    assert one.handed_in == datetime(2025, 3, 1, 23, 59, 59).astimezone(UTC)


def test_gradescope(tmp_path):
    tree(tmp_path / "assignment_9_export", "submission_1/02.ipynb", "submission_2/x.ipynb", "submission_3/answer.pdf")
    (tmp_path / "assignment_9_export/submission_metadata.yml").write_text(
        "submission_1:\n  :submitters:\n  - :name: Jane\n    :sid: '1'\n    :email: jane@x.org\n  - :name: Ben\n"
        "    :email: ben@x.org\n  :created_at: 2025-03-01 10:00:00.000000000 Z\n"
        "submission_2:\n  :submitters:\n  - :name: Lee\n  :created_at: 2025-02-01 10:00:00 Z\n"
    )
    found = collect([tmp_path], due=datetime(2025, 2, 20, tzinfo=UTC))
    assert [(one.learner, one.late) for one in found] == [
        ("ben@x.org", True), ("jane@x.org", True), ("Lee", False), ("submission_3", False),
    ]  # fmt: skip
    assert "answer.pdf" in found[-1].problem


def test_nbgrader(tmp_path):
    tree(
        tmp_path / "mycourse",
        "submitted/bitdiddle/ps1/02.ipynb",
        "submitted/hacker/ps1/02.ipynb",
        "release/ps1/02.ipynb",
    )
    (tmp_path / "mycourse/submitted/hacker/ps1/timestamp.txt").write_text("2015-02-02 15:58:23.948203 UTC")
    found = collect([tmp_path / "mycourse"], due=datetime(2015, 2, 1, tzinfo=UTC))
    assert [one.learner for one in found] == ["bitdiddle", "hacker"]
    assert found[1].handed_in == datetime(2015, 2, 2, 15, 58, 23, 948203, UTC)
    assert learners(tmp_path / "mycourse/submitted") == ["bitdiddle", "hacker"]
    assert learners(tmp_path / "mycourse/submitted/hacker/ps1/02.ipynb") == ["hacker"]


def test_github_classroom(tmp_path):
    tree(tmp_path / "lab-1-submissions", "lab-1-octo-cat/02.ipynb", "lab-1-lab-rat/02.ipynb")
    assert learners(tmp_path / "lab-1-submissions") == ["lab-rat", "octo-cat"]
    for name in ("hw-2-amy", "hw-2-arno"):
        tree(tmp_path / "clones", f"{name}/02.ipynb", f"{name}/.git/HEAD")
    assert learners(tmp_path / "clones") == ["amy", "arno"]
    tree(tmp_path / "names", "anna-lee/02.ipynb", "anna-ross/02.ipynb")
    assert learners(tmp_path / "names") == ["anna-lee", "anna-ross"]


def test_zips_a_learner(tmp_path):
    for name in ("anna", "ben", "lee"):
        zipped(tmp_path / f"{name}.zip", "work/notebook.ipynb")
    zipped(tmp_path / "mallory.zip", "anna/02.ipynb", "ben/02.ipynb", "submission_metadata.yml")  # not theirs to say
    assert learners(f"{tmp_path}/*.zip") == ["anna", "ben", "lee", "mallory", "mallory"]


def test_what_lies_within_a_learners_folder_does_not_say_whose_it_is(tmp_path):
    tree(
        tmp_path / "class",
        "anna/02.ipynb",
        "mallory/anna/02.ipynb",
        "mallory/submitted/anna/ps1/02.ipynb",
        "mallory/Anna_12_assignsubmission_file/02.ipynb",
        "mallory/anna_12_13_02.ipynb",
    )
    (tmp_path / "class/mallory/submission_metadata.yml").write_text("anna:\n  :submitters:\n  - :name: anna\n")
    assert learners(tmp_path / "class") == ["anna"] + ["mallory"] * 4
    assert learners(f"{tmp_path}/class/*") == ["anna"] + ["mallory"] * 4


def test_folders_that_hold_only_folders_of_several_people_are_nobodys(tmp_path):
    tree(tmp_path / "class", "section1/hans/02.ipynb", "section1/ida/hw/02.ipynb", "section1/rules.txt")
    tree(tmp_path / "class", "section2/jo/02.ipynb")
    lines = []
    assert [one.learner for one in collect([tmp_path / "class"], tell=lines.append)] == ["hans", "ida", "jo"]
    assert lines[0] == "the folder section1 is nobody's; those in it are taken for learners': hans, ida"
    assert learners(tmp_path / "class/section2") == ["jo"]
    tree(tmp_path / "years", "2025/a/kim_lee/02.ipynb", "2025/a/jo/02.ipynb", "2025/b/al/02.ipynb")
    assert learners(tmp_path / "years") == ["al", "jo", "kim_lee"]


def test_a_folder_of_several_people_beside_learners_folders_is_said(tmp_path):
    tree(tmp_path / "class", "section1/hans/02.ipynb", "section1/ida/02.ipynb", "alice/02.ipynb", "ben/ps1/02.ipynb")
    tree(tmp_path / "class", "ben/ps2/02.ipynb")
    lines = []
    found = collect([tmp_path / "class"], tell=lines.append)
    assert [one.learner for one in found] == ["alice", "ben", "ben", "section1", "section1"]
    (line,) = lines
    assert "one learner, with several folders of work: section1 (hans, ida); a roster can say" in line


@pytest.mark.parametrize(
    "names",
    [
        ["ada/notebooks/02.ipynb", "ben/notebooks/02.ipynb"],
        ["ada/02/x.ipynb", "ada/03/x.ipynb", "ben/02/x.ipynb"],
        ["ada/ps1/x.ipynb", "ada/ps2/x.ipynb"],
        ["ada/freeze/x.ipynb", "ada/heads/x.ipynb", "ben/freeze/x.ipynb"],
        ["ada/anna/02.ipynb", "ada/kim/02.ipynb", "ben/02.ipynb"],  # not Ada's to say
        ["ada/anna/02.ipynb", "ada/kim/02.ipynb", "ada/02.ipynb"],
        ["ada/week 1/02.ipynb", "ada/week 2/02.ipynb", "ben/notebooks/02.ipynb", "ben/backup/03.ipynb"],
    ],
)
def test_a_learners_own_folders_are_no_learners(tmp_path, names):
    tree(tmp_path / "class", *names)
    assert set(learners(tmp_path / "class")) <= {"ada", "ben"}
    if len(list((tmp_path / "class").iterdir())) > 1:
        assert set(learners(f"{tmp_path}/class/*")) == {"ada", "ben"}


def test_order_is_the_same_whatever_the_order_of_the_files(tmp_path):
    names = ["b/02.ipynb", "a/03.ipynb", "a/02.ipynb", "C/02.ipynb"]
    tree(tmp_path / "one", *names)
    tree(tmp_path / "two", *reversed(names))
    found = [[(o.learner, o.path.name) for o in collect([tmp_path / folder])] for folder in ("one", "two")]
    assert found[0] == found[1] == [("a", "02.ipynb"), ("a", "03.ipynb"), ("b", "02.ipynb"), ("C", "02.ipynb")]


def test_where_no_notebook_is_it_is_said_what_there_is(tmp_path, monkeypatch):
    (tmp_path / "class").mkdir()
    for name in ("a.zip", "b.zip"):
        zipped(tmp_path / "class" / name, "anna.ipynb")
    (tmp_path / "class" / "grades.csv").write_text("login\nanna\n")
    zips = tmp_path / "class" / "*.zip"
    for source in (tmp_path / "class", tmp_path / "class" / "*.ipynb"):
        with pytest.raises(SubmissionError) as refused:
            collect([source])
        assert "2 .zip, 1 .csv" in str(refused.value) and f"name the zips, {zips}" in str(refused.value)
    assert collect([zips])
    monkeypatch.chdir(tmp_path)
    tree(tmp_path, "anna.ipynb")
    with pytest.raises(
        SubmissionError, match=r"ben\.ipynb matches nothing, and the folder \. holds 1 \.ipynb; name the"
    ):
        collect(["ben.ipynb"])


def test_a_zip_beside_notebooks_is_one_learners(tmp_path):
    tree(tmp_path, "class/anna.ipynb")
    zipped(tmp_path / "class" / "ben.zip", "02.ipynb")
    assert learners(tmp_path / "class") == ["anna", "ben"]


def test_a_source_that_matches_nothing_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "missing", f"{tmp_path}/*.nothing", tmp_path / "empty", "a\0b"):
        with pytest.raises(SubmissionError, match=r"missing|nothing|empty|cannot be a source"):
            collect([source])


def test_late_is_by_the_files_date_where_that_is_the_learners(tmp_path):
    tree(tmp_path / "class", "anna/02.ipynb", "ben/02.ipynb")
    due = datetime(2025, 3, 1, 12, tzinfo=UTC)
    for name, hours in (("anna", -1), ("ben", 1)):
        moment = (due + timedelta(hours=hours)).timestamp()
        os.utime(tmp_path / "class" / name / "02.ipynb", (moment, moment))
    anna, ben = collect([tmp_path / "class"], due=due)
    assert (anna.late, ben.late) == (False, True)
    assert ben.handed_in == due + timedelta(hours=1)


def test_the_date_in_a_zip_is_utc_where_the_zip_says_so_and_local_otherwise(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        local = zipfile.ZipInfo("anna/02.ipynb", (2025, 3, 1, 12, 0, 0))
        archive.writestr(local, NOTEBOOK)
        exact = zipfile.ZipInfo("ben/02.ipynb", (2025, 3, 1, 12, 0, 0))
        exact.extra = b"UT\x05\x00\x01" + int(datetime(2025, 1, 2, tzinfo=UTC).timestamp()).to_bytes(4, "little")
        archive.writestr(exact, NOTEBOOK)
        archive.writestr(zipfile.ZipInfo("lee/02.ipynb", (1980, 0, 0, 0, 0, 0)), NOTEBOOK)
    anna, ben, lee = collect([tmp_path / "a.zip"])
    assert anna.handed_in == datetime(2025, 3, 1, 12).astimezone(UTC)
    assert ben.handed_in == datetime(2025, 1, 2, tzinfo=UTC)
    assert lee.handed_in is None


@pytest.mark.parametrize("name", ["answer.py", "answer.pdf", "answer.txt", "work.zip", "course/models.py"])
def test_a_learner_without_a_notebook_is_told_which_file_came(tmp_path, name):
    tree(tmp_path / "class", "anna/02.ipynb", f"ben/{name}")
    anna, ben = collect([tmp_path / "class"])
    assert not anna.problem
    assert ben.learner == "ben" and Path(name).name in ben.problem and ".ipynb" in ben.problem


def test_a_text_typed_into_canvas_and_a_python_file_at_the_top_are_no_notebooks(tmp_path):
    tree(tmp_path / "class", "doejane_1234_text.html", "ben.py", "lee.pdf", "anna.ipynb")
    found = collect([tmp_path / "class"])
    assert [(one.learner, bool(one.problem)) for one in found] == [
        ("anna", False), ("ben", True), ("doejane_1234", True), ("lee", True),
    ]  # fmt: skip


def test_links_are_not_followed(tmp_path):
    secret = tree(tmp_path / "elsewhere", "secret.ipynb")
    tree(tmp_path / "class", "anna/02.ipynb")
    for name in ("mallory", "eve", "trent"):
        (tmp_path / "class" / name).mkdir()
    (tmp_path / "class/mallory/02.ipynb").symlink_to(secret / "secret.ipynb")
    (tmp_path / "class/eve/02.ipynb").symlink_to("../anna/02.ipynb")
    (tmp_path / "class/trent/work").symlink_to(secret)
    (tmp_path / "class/oscar").symlink_to(secret)
    (tmp_path / "class/loop").symlink_to(".")
    for source in (tmp_path / "class", f"{tmp_path}/class/*"):
        found = {one.learner: one for one in collect([source])}
        assert not found.pop("anna").problem
        assert set(found) == {"mallory", "eve", "trent", "oscar", "loop"}
        assert all("link" in one.problem for one in found.values())


def test_a_link_that_a_shell_took_from_the_folder_is_not_followed(tmp_path):
    tree(tmp_path, "elsewhere/secret.ipynb", "class/anna.ipynb")
    (tmp_path / "class/mallory.ipynb").symlink_to(tmp_path / "elsewhere/secret.ipynb")
    anna, mallory = collect([tmp_path / "class/anna.ipynb", tmp_path / "class/mallory.ipynb"])
    assert not anna.problem and mallory.learner == "mallory" and "link" in mallory.problem


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    tree(tmp_path / "class", "anna/02.ipynb")
    (tmp_path / "class/ben").mkdir()
    os.mkfifo(tmp_path / "class/ben/02.ipynb")
    assert "not an ordinary file" in collect([tmp_path / "class"])[1].problem


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    tree(tmp_path / "class", "anna/02.ipynb", "ben/02.ipynb")
    with (tmp_path / "class/ben/02.ipynb").open("r+b") as stream:
        stream.truncate(2**30)
    assert "1024 MiB" in collect([tmp_path / "class"])[1].problem


def test_odd_members_of_a_zip_have_a_problem_and_the_others_none(tmp_path):
    path = tmp_path / "class.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("anna/02.ipynb", NOTEBOOK)
        archive.writestr("../mallory/02.ipynb", NOTEBOOK)
        archive.writestr("/etc/02.ipynb", NOTEBOOK)
        link = zipfile.ZipInfo("eve/02.ipynb")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("trent/02.ipynb", b" " * (MAX_NOTEBOOK + 1))
        archive.writestr("oscar/work.zip", b"PK")
        with pytest.warns(UserWarning):
            archive.writestr("bob/02.ipynb", NOTEBOOK)
            archive.writestr("bob/02.ipynb", NOTEBOOK + " ")
    found = {one.learner: one for one in collect([path])}
    assert not found.pop("anna").problem
    assert {name: bool(one.problem) for name, one in found.items()} == dict.fromkeys(
        ("mallory", "etc", "eve", "trent", "oscar", "bob"), True
    )
    assert (
        "two files" in found["bob"].problem and "link" in found["eve"].problem and "archive" in found["oscar"].problem
    )


def test_an_encrypted_member_and_one_of_an_unknown_method(tmp_path):
    content = bytearray(zipped(tmp_path / "x.zip", "anna/02.ipynb", "ben/02.ipynb").read_bytes())
    first = content.index(b"PK\x01\x02")
    content[first + 8] |= 1  # encrypted
    second = content.index(b"PK\x01\x02", first + 1)
    content[second + 10] = 99  # the method
    (tmp_path / "x.zip").write_bytes(content)
    anna, ben = collect([tmp_path / "x.zip"])
    assert "encrypted" in anna.problem and "method 99" in ben.problem


def test_a_bomb_is_measured_by_what_comes_out_of_it(tmp_path):
    path = tmp_path / "class.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ben/02.ipynb", b" " * (MAX_NOTEBOOK + 2**20))
    content = bytearray(path.read_bytes())
    for at in (content.index(b"PK\x01\x02") + 24, content.index(b"PK\x03\x04") + 22):
        content[at : at + 4] = (1000).to_bytes(4, "little")  # it says that it is small
    path.write_bytes(content)
    one = only(path)
    with pytest.raises(SubmissionError):
        one.content()


def test_a_zip_with_a_million_members_is_refused_at_once(tmp_path):
    entry = b"PK\x01\x02" + bytes(24) + (5).to_bytes(2, "little") + bytes(16) + b"a.txt"
    directory = entry * 1_000_000
    end = b"PK\x05\x06" + bytes(4) + b"\xff\xff\xff\xff" + len(directory).to_bytes(4, "little") + bytes(6)
    (tmp_path / "ben.zip").write_bytes(directory + end)
    started = time.perf_counter()
    one = only(tmp_path / "ben.zip")
    assert one.learner == "ben" and "too many files" in one.problem
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all", b"PK\x05\x06" + bytes(18), os.urandom(1000)])
def test_a_damaged_zip_is_a_problem_of_its_learner_alone(tmp_path, content):
    zipped(tmp_path / "anna.zip", "02.ipynb")
    (tmp_path / "ben.zip").write_bytes(content)
    found = [(one.learner, bool(one.problem)) for one in collect([f"{tmp_path}/*.zip"]) if one.learner == "anna"]
    assert found == [("anna", False)]


def test_thousands_of_notebooks_of_one_learner_are_one_problem(tmp_path):
    zipped(tmp_path / "c.zip", "anna/02.ipynb", *(f"ben/{number}.ipynb" for number in range(3000)))
    anna, ben = collect([tmp_path / "c.zip"])
    assert not anna.problem and "3000 notebooks" in ben.problem


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow fewer names")
def test_any_name_can_be_collected(tmp_path):
    folder = tmp_path / "class"
    names = [
        "Zoë",
        "李雷",
        "a" * 255,
        "=cmd|'/c calc'!A1",
        "<script>",
        "new\nline",
        "\x1b[2J",
        "rtl\u202eabc",
        "-rf",
        "a b",
    ]
    for name in names:
        tree(folder, f"{name}/02.ipynb")
    raw = os.fsencode(folder) + b"/\xff\xfe"
    os.mkdir(raw)
    with open(raw + b"/02.ipynb", "w") as stream:
        stream.write(NOTEBOOK)
    found = collect([folder])
    assert len({one.learner for one in found}) == len(names) + 1
    assert all(one.learner.isprintable() and not one.problem and one.content() for one in found)


def test_a_zips_names_in_utf8_or_with_backslashes_that_it_does_not_declare(tmp_path):
    path = zipped(tmp_path / "c.zip", "Zoe_/02.ipynb", "anna/02.ipynb")
    content = path.read_bytes().replace(b"Zoe_/", "Zoë/".encode()).replace(b"anna/", b"anna\\")
    path.write_bytes(content)
    anna, zoe = collect([path])
    assert (anna.learner, zoe.learner) == ("anna", "Zoë")
    assert zoe.content() and anna.content()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow fewer names")
def test_very_deep_folders_are_walked_without_recursion(tmp_path):
    tree(tmp_path / "class", "anna/02.ipynb")
    here = os.open(tmp_path / "class/anna", os.O_RDONLY)
    for _ in range(1200):  # Python stops at 1,000 calls
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    try:
        assert learners(tmp_path / "class")[0] == "anna"
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "class"], check=True)  # shutil's rmtree would recurse too deep


def test_nothing_handed_in_is_run_or_unpickled(tmp_path, monkeypatch):
    tree(tmp_path / "class", "anna/02.ipynb", "anna/sitecustomize.py", "anna/conftest.py", "anna/__init__.py")
    (tmp_path / "class/anna/torch.py").write_text("raise SystemExit('it ran')")
    monkeypatch.chdir(tmp_path / "class/anna")
    assert learners(tmp_path / "class") == ["anna"]


@pytest.mark.parametrize(
    ("text", "learner"),
    [
        ("login,name\njdoe,Jane Doe\n", "jdoe"),
        ("name;email\nJane Doe;jane@x.org\n", "jane@x.org"),
        ("First Name\tLast Name\tSID\tEmail\nJane\tDoe\t77\tjane@x.org\n", "jane@x.org"),
        ("identifier,github_username,github_id,name\n77,jdoe,9,Jane Doe\n", "jdoe"),
        ("id,first_name,last_name,email\njdoe,Jane,Doe,\n", "jdoe"),
        ("Full name\nJane Doe\n", "Jane Doe"),
        (CANVAS_ROSTER, "jdoe"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_rosters_as_they_are_exported(tmp_path, text, learner, encoding):
    path = tmp_path / "roster.csv"
    path.write_text(text, encoding=encoding)
    roster = read_roster(path)
    assert roster.find("Jane Doe").learner.learner == learner
    assert roster.find("jane  DOE").learner.learner == learner
    assert roster.find("doejane").learner.learner == learner
    assert roster.find("Nobody") is None
    assert not any("Points" in one.name or "Test" in one.name for one in roster.learners)


def test_two_learners_of_one_name_are_told_apart_by_number_or_not_at_all(tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text("Student,ID,SIS Login ID\nJane Doe,1,jd1\nJane Doe,2,jd2\n")
    roster = read_roster(path)
    assert roster.find("Jane Doe") is None
    assert roster.find("Jane Doe", number="2").learner.learner == "jd2"


def test_a_login_within_a_longer_name_is_found_if_only_one_is_there(tmp_path):
    (tmp_path / "roster.csv").write_text("login\njdoe\nben\n")
    tree(tmp_path / "class", "final_jdoe_v2.ipynb", "jdoe_and_ben.ipynb", "benny.ipynb")
    assert learners(tmp_path / "class", roster=tmp_path / "roster.csv") == ["benny", "jdoe", "jdoe_and_ben"]


CLASS = """\
name,email
Max Meier,max@uni.edu
Zoë Müller-Łukasz,zoe@uni.edu
Anna Schmidt,a.schmidt@uni.edu
Anna Bauer,anna@uni.edu
Jan Novák,x123@uni.edu
"""


def with_roster(folder, *names, roster=CLASS):
    """(learner by path, lines) of these files in a class with this roster."""
    folder.mkdir(exist_ok=True)
    (folder / "roster.csv").write_text(roster)
    tree(folder / "class", *names)
    lines = []
    found = collect([folder / "class"], roster=folder / "roster.csv", tell=lines.append)
    return {str(one.path.relative_to((folder / "class").resolve())): one.learner for one in found}, lines


def test_a_roster_finds_learners_in_folders_of_sections(tmp_path):
    roster = "login,name\nhans,Hans Huber\nida,Ida Igel\n"
    names = ("section1/hans/02.ipynb", "section1/ida_igel/notebooks/02.ipynb", "mona/02.ipynb", "hans/ida/02.ipynb")
    found, lines = with_roster(tmp_path, *names, roster=roster)
    assert found == {names[0]: "hans", names[1]: "ida", names[2]: "mona", names[3]: "hans"}  # not Hans's to say
    assert lines[0] == "the folder section1 is nobody's; those in it are taken for learners': hans, ida_igel"
    found, _ = with_roster(tmp_path / "more", "x/hans/02.ipynb", "x/own.ipynb", roster=roster)
    assert set(found.values()) == {"x"}


def test_a_first_name_within_a_longer_name_is_never_enough(tmp_path):
    names = (
        "max_mustermann/02.ipynb",
        "zoe_style/02.ipynb",
        "anna_lee_02.ipynb",
        "02_freeze_the_backbone_max_mu.ipynb",
    )
    found, lines = with_roster(tmp_path, *names)
    assert list(found.values()) == ["anna_lee", "max_mu", "max_mustermann", "zoe_style"]
    (line,) = lines
    assert line.startswith("not in the roster: ")


def test_a_full_name_wins_over_a_first_name_that_is_another_learners_address(tmp_path):
    found, lines = with_roster(
        tmp_path, "anna_schmidt/02.ipynb", "Bauer, Anna/02.ipynb", "final_meier_max.ipynb", "zoë müller-łukasz 2.ipynb"
    )
    assert set(found.values()) == {"a.schmidt@uni.edu", "anna@uni.edu", "max@uni.edu", "zoe@uni.edu"}
    assert lines == []


@pytest.mark.parametrize(
    "name",
    [
        "max/02.ipynb", "max.ipynb", "max_02.ipynb", "02_freeze_the_backbone_max (1).ipynb",
        "max-submission-LATE.ipynb", "LATE_max_2.ipynb", "freeze the backbone max.ipynb", "max_final_v2.ipynb",
    ],
)  # fmt: skip
def test_what_a_notebook_is_called_does_no_harm_and_less_than_a_full_name_is_said(tmp_path, name):
    found, lines = with_roster(tmp_path, name)
    assert list(found.values()) == ["max@uni.edu"]
    (line,) = lines
    assert "is taken for Max Meier (max@uni.edu), by the part of the e-mail before the @" in line


def test_an_address_without_a_first_name_is_found_within_a_longer_name_and_said(tmp_path):
    found, lines = with_roster(tmp_path, "x123_essay/02.ipynb", "a.schmidt_essay.ipynb")
    assert sorted(found.values()) == ["a.schmidt@uni.edu", "x123@uni.edu"]
    assert len(lines) == 2 and all("within a longer name" in line for line in lines)


def test_a_login_is_found_within_a_longer_name_unless_it_is_a_bare_first_name(tmp_path):
    roster = "login,name\nmax,Max Meier\njdoe,Jane Doe\n"
    found, lines = with_roster(tmp_path, "max_mustermann/02.ipynb", "jdoe_essay/02.ipynb", roster=roster)
    assert sorted(found.values()) == ["jdoe", "max_mustermann"]
    assert lines == [
        "jdoe_essay is taken for Jane Doe (jdoe), by a part of that name alone",
        "not in the roster: max_mustermann; graded under the names that their files have",
    ]


def test_the_layouts_and_the_roster_of_the_manual_are_read_as_it_says(tmp_path):
    text = (ROOT / "docs" / "instructors.md").read_text(encoding="utf-8")
    layouts = text.partition("\nsubmissions/\n")[2].partition("```")[0].splitlines()
    roster = "login,name,email\n" + text.partition("\nlogin,name,email\n")[2].partition("```")[0]
    for at, line in enumerate(layouts):
        name = re.split(r"  +", line.strip())[0]
        name += "02.ipynb" if name.endswith("/") else ""
        found, _ = with_roster(tmp_path / str(at), name, roster=roster.replace("Jane Doe,", '"Doe, Jane",'))
        assert list(found.values()) == ["jdoe"], line
    assert len(layouts) == 6 and len(roster.splitlines()) == 2
    found, lines = with_roster(tmp_path / "less", "jane/02.ipynb", "jane_roe/02.ipynb", roster=roster)
    assert list(found.values()) == ["jane_roe", "jdoe"] and len(lines) == 2


def test_a_roster_that_is_no_text_is_refused_without_its_bytes(tmp_path):
    tree(tmp_path, "class/anna.ipynb")
    zipped(tmp_path / "s.zip", "anna.ipynb")
    with pytest.raises(
        SubmissionError, match=r"the roster .*s\.zip is a zip.*not a CSV file; give the list"
    ) as refused:
        collect([tmp_path / "class"], roster=tmp_path / "s.zip")
    assert str(refused.value).isprintable()


def test_the_roster_gives_a_full_name_where_it_says_more_than_the_login(tmp_path):
    (tmp_path / "roster.csv").write_text('login,name\njdoe,"Doe, Jane"\nben,\n')
    tree(tmp_path, "class/jdoe.ipynb", "class/ben.ipynb", "class/zoe.ipynb")
    found = collect([tmp_path / "class"], roster=tmp_path / "roster.csv", tell=lambda line: None)
    assert {one.learner: one.full_name for one in found} == {"jdoe": "Doe, Jane", "ben": "", "zoe": ""}


@pytest.mark.parametrize("text", ["", "colour,size\nred,3\n", 'name\n"' + "x" * 200_000 + '"\n'])
def test_a_roster_without_learners_is_refused_by_name(tmp_path, text):
    (tmp_path / "roster.csv").write_text(text)
    tree(tmp_path, "class/anna.ipynb")
    with pytest.raises(SubmissionError, match=r"roster\.csv"):
        collect([tmp_path / "class"], roster=tmp_path / "roster.csv")


def test_a_thousand_learners_are_collected_in_seconds(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(1000):
            archive.writestr(f"learner{number}_{number + 1}_{number + 1}_02.ipynb", NOTEBOOK)
    (tmp_path / "class.zip").write_bytes(stream.getvalue())
    rows = "".join(f"Learner{number},{number + 1},l{number}\n" for number in range(1000))
    (tmp_path / "roster.csv").write_text("Student,ID,SIS Login ID\n" + rows)
    started = time.perf_counter()
    assert len(set(learners(tmp_path / "class.zip", roster=tmp_path / "roster.csv"))) == 1000
    assert time.perf_counter() - started < 5

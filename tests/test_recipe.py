"""The recipe: defaults, overrides, paths, and what a mistake is told."""

import json
import re
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelers.finding import load, names
from pipelines.recipes.overrides import set_key
from pipelines.recipes.recipe import Recipe, RecipeError, make_recipe
from pipelines.recipes.recipe_file import load_recipe
from trainer.settings import Settings, make_settings


def test_defaults_need_nothing() -> None:
    """An empty recipe is valid: four labelers, separate views, one worker."""
    recipe = make_recipe({})
    assert recipe.with_ == ("connective", "disfluency", "paraphrase", "masking")
    assert (recipe.views, recipe.run.workers, recipe.passage.max_tokens) == ("separate", 1, 128)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"inputs": {}}, "no key 'inputs' (did you mean 'input'?)"),
        ({"input": {"filez": []}}, "no key 'input.filez' (did you mean 'files'?)"),
        ({"views": "both"}, "'views': input should be 'separate' or 'woven', given 'both'"),
        ({"text": {"newline": "line"}}, "'text.newline': input should be 'space' or 'break', given 'line'"),
        ({"passage": {"max_tokens": 1}}, "greater than or equal to 8, given 1"),
        ({"labelers": {"maskng": {}}}, "[labelers.maskng] has options for a labeler that `with` does not use"),
        ({"labelers": {"disfluncy": {}}}, "masking) (did you mean 'disfluency'?)"),
        (
            {"with": ["mylab:Shout"], "labelers": {"Shout": {}}},
            "(mylab:Shout) (did you mean 'shout'?); write its table in lower case",
        ),
        ({"labelers": 3}, "'labelers': input should be a valid dictionary, given 3"),
        (
            {"split": {"group": "book"}},
            "split.group is 'book'; it may be file; to group by a field of the records, declare",
        ),
        (
            {"split": {"group": "sorce"}, "input": {"keep": {"source": "string"}}},
            "split.group is 'sorce' (did you mean 'source'?); it may be file or source",
        ),
        ({"split": {"validation": 0.6, "test": 0.4}}, "are 0.6 and 0.4; together they must be below 1"),
        ({"input": {"keep": {"score": "float"}}}, "'input.keep.score'"),
        ({"phase": {"steps": 3}}, "'phase': phases are a list; write [[phase]], with two brackets"),
        ({"task": {"weight": 2.0}}, "'task.weight': input should be a valid"),
    ],
)
def test_a_mistake_is_told_with_what_is_allowed(data: dict[str, object], message: str) -> None:
    """The error names the key, what was given and the nearest or the allowed values."""
    with pytest.raises(RecipeError) as caught:
        make_recipe(data)
    assert message in str(caught.value)


def test_one_path_stands_for_a_list() -> None:
    """A single path needs no brackets."""
    assert make_recipe({"input": {"files": "a.txt"}}).input[0].files == ("a.txt",)


def test_the_tables_of_training_are_kept_for_the_trainer(tmp_path: Path) -> None:
    """[model], [task.NAME] and [[phase]] may hold anything here; the trainer knows what."""
    file = tmp_path / "r.toml"
    file.write_text(
        '[model]\nsize = "small"\n[task."disfluency.tags"]\nweight = 2.0\n[[phase]]\nsteps = 1\n[[phase]]\nsteps = 2\n'
    )
    recipe = load_recipe(file, ["model.depth=3", "task.masking.weight=0.5"])
    assert recipe.model == {"size": "small", "depth": 3}
    assert recipe.task == {"disfluency.tags": {"weight": 2.0}, "masking": {"weight": 0.5}}
    assert recipe.phase == ({"steps": 1}, {"steps": 2})
    assert (make_recipe({}).model, make_recipe({}).task, make_recipe({}).phase) == ({}, {}, ())


def test_a_recipe_from_elsewhere_may_name_options_of_a_class() -> None:
    """The options of module:Class stand under the class's name in lower case."""
    recipe = make_recipe({"with": ["mylab:Shout"], "labelers": {"shout": {"loud": True}}})
    assert recipe.labelers["shout"] == {"loud": True}


def test_paths_are_relative_to_the_file_and_options_win_over_it(tmp_path: Path) -> None:
    """TOML first, then what the command line named, then --set."""
    file = tmp_path / "night.toml"
    file.write_text(
        'out = "data"\nseed = 1\n[input]\nfiles = ["texts", "s3://bucket/x.txt"]\n'
        '[labelers.paraphrase]\ndictionary = "names.tsv"\n',
        encoding="utf-8",
    )
    recipe = load_recipe(file, ["labelers.disfluency.rate=0.3"], {"seed": 2, "run": {"workers": 3}})
    assert recipe.out == str(tmp_path / "data")
    assert recipe.input[0].files == (str(tmp_path / "texts"), "s3://bucket/x.txt")
    assert recipe.labelers["paraphrase"]["dictionary"] == str(tmp_path / "names.tsv")
    assert (recipe.seed, recipe.run.workers) == (2, 3)
    assert recipe.labelers["disfluency"] == {"rate": 0.3}


def test_the_files_of_any_labeler_are_relative_to_the_recipe(tmp_path: Path) -> None:
    """Whatever their options are called; what the command line names is relative to the current folder."""
    (tmp_path / "lab_of_lists.py").write_text(
        "from dataclasses import dataclass\nfrom labelers.labeler import Resource\nfrom toy_labelers import Stutter\n"
        "@dataclass(frozen=True)\nclass Listed(Stutter):\n    words: Resource | None = None\n    title: str = ''\n"
    )
    file = tmp_path / "night" / "r.toml"
    file.parent.mkdir()
    file.write_text('with = ["lab_of_lists:Listed"]\n[labelers.listed]\nwords = "w.txt"\ntitle = "w.txt"\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.path", [*sys.path])
        patch.chdir(tmp_path)
        listed = load_recipe(file).labelers["listed"]
        assert listed == {"words": str(tmp_path / "night" / "w.txt"), "title": "w.txt"}
        assert load_recipe(file, ["labelers.listed.words=v.txt"]).labelers["listed"]["words"] == "v.txt"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no recipe at"),
        ("out = ", "is not valid TOML"),
        ("labelers = 3", "'labelers': input should be a valid dictionary"),
        ("input = 3", "'input': value error, write a table"),
    ],
)
def test_a_recipe_that_cannot_be_read_is_told(tmp_path: Path, text: str | None, message: str) -> None:
    """A missing file and broken TOML are errors of the user."""
    file = tmp_path / "r.toml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=message):
        load_recipe(file, flags={"input": {"limit": 3}})


@pytest.mark.parametrize(
    ("override", "value"),
    [("a.b=3", 3), ("a.b=[1, 2]", [1, 2]), ("a.b=true", True), ("a.b=tiny", "tiny"), ("a.b=", "")],
)
def test_an_override_is_read_as_toml_or_as_a_string(override: str, value: object) -> None:
    """Numbers, lists and booleans are values, all else is text."""
    data: dict[str, object] = {}
    set_key(data, override)
    assert data == {"a": {"b": value}}


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ('task."disfluency.tags".weight=2.0', ["task", "disfluency.tags", "weight"], 2.0),
        ("task.'a.b'.weight=1", ["task", "a.b", "weight"], 1),
        (' "a" . b = 1', ["a", "b"], 1),
        ('"a=b".c=d=e', ["a=b", "c"], "d=e"),
        (r'"a\"=\"b"=1', ['a"="b'], 1),
        ('"é ü".x=yes', ["é ü", "x"], "yes"),
        ("a-b.c_d.3=true", ["a-b", "c_d", "3"], True),
        ('a="#b"', ["a"], "#b"),
    ],
)
def test_the_key_of_an_override_is_read_as_toml(override: str, path: list[str], value: object) -> None:
    """A quoted name may hold dots, equals signs and anything else; dots outside quotes join names."""
    data: dict[str, Any] = {}
    set_key(data, override)
    for name in path:
        ((found, data),) = data.items()
        assert found == name
    assert data == value


@given(st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=3), st.text("a=.\"'1 ", max_size=5))
def test_any_name_can_be_set_if_it_is_quoted(path: list[str], value: str) -> None:
    """As a string of JSON, which is one of TOML."""
    names = [re.sub("[\ud800-\udfff\x7f]", "?", name) for name in path]
    key = ".".join(json.dumps(name, ensure_ascii=False) for name in names)
    one: dict[str, Any] = {}
    set_key(one, f"{key}={json.dumps(value)}")
    for name in names:
        one = one[name]
    assert one == value


@pytest.mark.parametrize("override", ["a..b=1", ".a=1", "a.=1", "a b=1", '"a.b=1', "#a=1", "[a]=1", "é=1", "a\nb=1"])
def test_what_is_no_key_is_refused_with_what_is_one(override: str) -> None:
    """The message says what was given, what is allowed, and shows a key with quotes."""
    with pytest.raises(RecipeError) as caught:
        set_key({}, override)
    assert str(caught.value).startswith(f"cannot read the key of {override!r}; a key is one or more names joined by")
    assert str(caught.value).endswith("""must be quoted, for example 'task."disfluency.tags".weight=2.0'""")


def test_an_override_below_a_value_is_an_error() -> None:
    """`seed.x=1` cannot be meant, and neither can an override without a value."""
    with pytest.raises(RecipeError, match="'phase' is a list, not a table"):
        set_key({"phase": [{}]}, "phase.steps=1")
    with pytest.raises(RecipeError, match="'seed' is a value, not a table"):
        set_key({"seed": 1}, "seed.x=1")
    with pytest.raises(RecipeError, match="KEY=VALUE"):
        set_key({}, "seed")


@given(st.integers(), st.sampled_from(["separate", "woven"]), st.integers(8, 2048))
def test_what_was_given_is_what_stands_there(seed: int, views: str, size: int) -> None:
    """A recipe keeps its values through TOML-like data and back."""
    recipe = make_recipe({"seed": seed, "views": views, "passage": {"max_tokens": size}})
    assert Recipe.model_validate(recipe.model_dump(by_alias=True)) == recipe
    assert (recipe.seed, recipe.views, recipe.passage.max_tokens) == (seed, views, size)


DOCUMENTED = (Path(__file__).parents[1] / "recipes" / "default.toml").read_text(encoding="utf-8")


def test_the_documented_recipe_is_the_default() -> None:
    """recipes/default.toml lists every key with its default."""
    data = tomllib.loads(DOCUMENTED)
    trained = {name: data.pop(name) for name in ("train", "model")}
    assert make_recipe(data) == make_recipe({})
    unset = {"labelers", "labels", "task", "phase", "study"}
    assert {*data, *trained} | unset == {item.alias or name for name, item in Recipe.model_fields.items()}
    for table in ("input", "text", "passage", "split", "dedup", "unit", "plan", "run"):
        default = getattr(Recipe(), table)
        assert data[table] == _as_toml((default[0] if table == "input" else default).model_dump(by_alias=True))
    settings = Settings().model_dump(mode="json", exclude={"task", "phase"})
    assert trained == {"model": settings.pop("model"), "train": settings}


def test_the_documented_options_are_those_of_the_labelers() -> None:
    """They are comments, for a table of a labeler that is not asked for is an error; one without a default is two."""
    _, heading, tables = DOCUMENTED.partition("# [labelers.connective]")
    data = tomllib.loads(re.sub(r"(?m)^# ", "", heading + tables))["labelers"]
    unset = set(re.findall(r"(?m)^# # (\w+) = ", tables))
    assert sorted(data) == names()
    options = {name: {item.name: getattr(load(name), item.name) for item in fields(load(name))} for name in names()}
    assert unset == {key for known in options.values() for key, value in known.items() if value is None}
    assert data == {
        name: {key: value for key, value in known.items() if value is not None} for name, known in options.items()
    }


RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.toml"))


@pytest.mark.parametrize("file", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_are_valid(file: Path) -> None:
    """Whatever data there is: their keys, those of the trainer as well."""
    recipe = load_recipe(file)
    make_settings({"train": recipe.train, "model": recipe.model, "task": recipe.task, "phase": recipe.phase})


def _as_toml(table: dict[str, Any]) -> dict[str, Any]:
    """Return a table with lists for tuples."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in table.items()}

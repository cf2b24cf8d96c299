"""A chain of methods, in words and out of them."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.compression.chain import (
    chain_from_words,
    chain_in_words,
    chain_of,
    checked_chain,
)
from jejunet_nas.compression.settings import (
    Chain,
    Clustering,
    CompressionSettings,
    DynamicRange,
    Float16,
    Float32,
    Method,
    PostTrainingInt8,
    Pruning,
    QuantizationAware,
)
from jejunet_nas.errors import SettingError
from tests.builders import tiny_network

steps = st.integers(1, 10_000_000)
rates = st.floats(1e-8, 1.0)
whens = st.sampled_from(["auto", "always", "never"])
prunings = st.builds(
    Pruning,
    kind=st.sampled_from(["channels", "magnitude"]),
    share=st.floats(0.01, 0.9),
    steps=steps,
    learning_rate=rates,
)
clusterings = st.builds(Clustering, clusters=st.integers(3, 256), steps=steps, learning_rate=rates)
formats = st.one_of(
    st.builds(Float32),
    st.builds(Float16),
    st.builds(DynamicRange),
    st.builds(
        PostTrainingInt8,
        calibration_frames=st.integers(1, 1024),
        calibration_choice=st.sampled_from(["spread", "random", "varied"]),
        equalize=whens,
        correct_bias=whens,
    ),
    st.builds(
        QuantizationAware, steps=steps, learning_rate=rates, gate_steps=st.integers(1, 10**6)
    ),
)


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    """A chain in an order that makes sense, of any methods."""
    pruned = draw(st.lists(prunings, max_size=1))
    if pruned and pruned[0].kind == "channels" and draw(st.booleans()):
        pruned.append(dataclasses.replace(draw(prunings), kind="magnitude"))
    clustered = draw(st.lists(clusterings, max_size=1))
    form = draw(formats)
    if clustered and isinstance(form, PostTrainingInt8) and form.equalize == "always":
        form = dataclasses.replace(form, equalize="auto")
    return (*pruned, *clustered, form)


@given(chains())
def test_a_chain_is_found_again_in_its_words(chain: Chain) -> None:
    assert chain_from_words(chain_in_words(chain)) == chain


@given(chains())
def test_a_chain_in_order_is_left_as_it_is(chain: Chain) -> None:
    assert checked_chain(chain) == chain


@given(chains())
def test_without_a_format_it_is_int8_after_training(chain: Chain) -> None:
    assert checked_chain(chain[:-1]) == (*chain[:-1], PostTrainingInt8())


@given(chains().filter(lambda chain: len({type(method) for method in chain}) > 1))
def test_the_other_way_round_a_chain_is_refused(chain: Chain) -> None:
    with pytest.raises(SettingError, match=r"comes before .* allowed: prune .*, then cluster"):
        checked_chain(chain[::-1])


@pytest.mark.parametrize(
    ("words", "chain"),
    [
        ("qat", (QuantizationAware(),)),
        ("prune", (Pruning(), PostTrainingInt8())),
        (
            " prune: share=0.25, steps = 7+cluster:clusters=4 ",
            (Pruning(share=0.25, steps=7), Clustering(clusters=4), PostTrainingInt8()),
        ),
        ("float16", (Float16(),)),
        (
            "prune + prune:kind=magnitude + int8:equalize=never",
            (Pruning(), Pruning(kind="magnitude"), PostTrainingInt8(equalize="never")),
        ),
    ],
)
def test_words_name_methods_and_what_is_other_than_usual(words: str, chain: Chain) -> None:
    assert chain_from_words(words) == chain


def test_words_leave_out_what_is_as_usual() -> None:
    chain = (Pruning(share=0.5, steps=9), QuantizationAware(learning_rate=1e-3))

    assert chain_in_words(chain) == "prune:steps=9 + qat:learning_rate=0.001"


@pytest.mark.parametrize(
    ("methods", "told"),
    [
        (
            (PostTrainingInt8(), Pruning()),
            r"^int8 comes before prune \(channels\); .*Swap",
        ),
        ((Clustering(), Pruning()), r"^cluster comes before prune \(channels\); .*Swap them"),
        ((Float32(), QuantizationAware()), r"^float32 comes before qat; .*Give each its own"),
        ((Clustering(), Clustering()), r"^cluster comes before cluster; .*Leave one out\."),
        ((Pruning(kind="magnitude"), Pruning()), r"^prune \(magnitude\) .*Swap them"),
        ((Pruning(), Pruning()), r"^prune \(channels\) .*Leave one out"),
        ((Pruning(), Pruning(kind="magnitude"), Pruning()), r"^prune \(magnitude\) "),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(methods: tuple[Method, ...], told: str) -> None:
    with pytest.raises(SettingError, match=told):
        checked_chain(methods)


def test_after_clusters_equalising_is_refused() -> None:
    with pytest.raises(SettingError, match=r"equalize is always in a chain.*Leave it out"):
        chain_from_words("cluster + int8:equalize=always")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("prun", r"names prun; allowed: float32, .*, cluster, joined by \+\. Did you mean prune\?"),
        ("", r"names nothing; allowed: float32, "),
        ("int8 +", r"names nothing; allowed: float32, "),
        ("qat:step=3", r"gives step=3 for qat; allowed: steps=VALUE, .* Did you mean steps\?"),
        ("float32:steps=3", r"gives steps=3 for float32; allowed: nothing\. Remove it"),
        ("qat:steps=3,steps=4", r"gives steps twice for qat\. Remove one"),
        ("prune:share=.5,", r"gives nothing after a comma for prune; allowed: kind=VALUE"),
        ("prune:0.5", r"gives 0\.5 for prune; allowed: kind=VALUE, share=VALUE, "),
        ("prune:steps=3.5", r"^steps of prune is 3\.5; allowed: whole numbers\. Write one\."),
        ("qat:learning_rate=fast", r"^learning_rate of qat is fast; allowed: numbers\."),
        ("cluster:clusters=", r"^clusters of cluster is ; allowed: whole numbers\."),
    ],
)
def test_words_that_say_nothing_are_answered_with_those_that_do(words: str, told: str) -> None:
    with pytest.raises(SettingError, match=told):
        chain_from_words(words)


@pytest.mark.parametrize(
    ("kind", "values", "told"),
    [
        (Pruning, {"share": 0.95}, r"^pruning\.share is 0\.95; .*0\.9\. The nearest is 0\.9\."),
        (Pruning, {"share": float("nan")}, r"^pruning\.share is nan; allowed: 0\.01 to 0\.9"),
        (Pruning, {"steps": 0}, r"^pruning\.steps is 0; .* nearest is 1\."),
        (Pruning, {"learning_rate": 2.0}, r"^pruning\.learning_rate is 2\.0; .* nearest is 1\.0"),
        (Pruning, {"kind": "chanels"}, r"^pruning\.kind is chanels; .* Did you mean channels\?"),
        (Clustering, {"clusters": 2}, r"^clustering\.clusters is 2; .* nearest is 3\."),
        (Clustering, {"steps": -1}, r"^clustering\.steps is -1; .* nearest is 1\."),
        (Clustering, {"learning_rate": 0.0}, r"^clustering\.learning_rate is 0\.0; "),
        (QuantizationAware, {"steps": 0}, r"^quantization_aware\.steps is 0; .* nearest is 1\."),
        (QuantizationAware, {"gate_steps": 0}, r"^quantization_aware\.gate_steps is 0; "),
        (QuantizationAware, {"learning_rate": 9}, r"^quantization_aware\.learning_rate is 9; "),
        (PostTrainingInt8, {"calibration_frames": 1025}, r"^post_training\.calibration_frames is "),
        (PostTrainingInt8, {"calibration_choice": "any"}, r"allowed: spread, random, varied\."),
        (PostTrainingInt8, {"equalize": "yes"}, r"^post_training\.equalize is yes; .* never\."),
        (PostTrainingInt8, {"correct_bias": "alway"}, r"correct_bias is .* Did you mean always\?"),
    ],
)
def test_a_value_that_cannot_be_names_what_can(
    kind: type[Any], values: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingError, match=told):
        kind(**values)


def test_a_network_says_what_it_is_compressed_by() -> None:
    settings = CompressionSettings(
        post_training=PostTrainingInt8(calibration_frames=3),
        quantization_aware=QuantizationAware(steps=5),
        pruning=Pruning(share=0.9, steps=4),
    )
    plain, pruned = tiny_network(), tiny_network(pruning=0.25)
    aware = dataclasses.replace(pruned, quantization="quantization_aware")

    assert chain_of(plain, settings) == (PostTrainingInt8(calibration_frames=3),)
    assert chain_of(pruned, settings)[0] == Pruning(share=0.25, steps=4)
    assert chain_of(aware, settings) == (Pruning(share=0.25, steps=4), QuantizationAware(steps=5))


def test_in_a_search_only_channels_are_pruned() -> None:
    with pytest.raises(SettingError, match=r"pruning\.kind is magnitude; allowed in a search: "):
        CompressionSettings(pruning=Pruning(kind="magnitude"))

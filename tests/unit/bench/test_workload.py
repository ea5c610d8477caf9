"""The benchmark's traffic is what it says: seeded, mixed as announced, and skewed."""

from collections import Counter
from itertools import islice
from random import Random

from atoll.bench.measure import Sample, quantile
from atoll.bench.workload import WORKLOADS, Traffic, record_key, record_value


def test_traffic_with_equal_seeds_is_equal() -> None:
    traffic = Traffic(1_000)

    first = list(islice(traffic.steps(WORKLOADS["A"], seed=7), 500))
    second = list(islice(traffic.steps(WORKLOADS["A"], seed=7), 500))

    assert first == second
    assert first != list(islice(traffic.steps(WORKLOADS["A"], seed=8), 500))


def test_traffic_mixes_reads_and_writes_as_the_workload_says() -> None:
    traffic = Traffic(1_000)

    for workload in WORKLOADS.values():
        steps = list(islice(traffic.steps(workload, seed=1), 5_000))
        share = sum(step.is_read for step in steps) / len(steps)
        assert abs(share - workload.read_share) < 0.03, workload.name


def test_keys_are_skewed_towards_few_records_and_stay_in_range() -> None:
    traffic, random = Traffic(10_000), Random(3)

    drawn = Counter(traffic.key(random) for _ in range(20_000))

    hottest = sum(count for _, count in drawn.most_common(100))
    assert hottest > 0.4 * 20_000
    assert set(drawn) <= {record_key(index) for index in range(10_000)}


def test_record_is_about_two_hundred_bytes() -> None:
    assert 180 <= len(repr(record_value(record_key(1), 1))) <= 230


def test_quantile_of_known_values_is_exact() -> None:
    values = [float(number) for number in range(1, 101)]

    assert quantile(values, 0.5) == 51.0
    assert quantile(values, 0.99) == 100.0
    assert quantile([], 0.5) == 0.0


def test_samples_of_several_rounds_add_up() -> None:
    total = Sample()
    total.extend(Sample(seconds=2.0, reads=[0.1], writes=[0.2, 0.3]))
    total.extend(Sample(seconds=1.0, reads=[0.4]))

    assert total.operations == 4
    assert total.throughput == 4 / 3.0

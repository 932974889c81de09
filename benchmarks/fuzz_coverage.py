"""Coverage-guided fuzzing of one reader: `python benchmarks/fuzz_coverage.py "motion bvh" --seconds 60`.

Needs Atheris (pip install 'sherf[dev]'). Starts from the same valid files, alternates between libFuzzer's mutations and
ours, and stops at the first input that breaks a rule, which is saved in the corpus folder as crash-*.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["sherf"]):
    from fuzz_mutate import MOST_BYTES, mutated
    from fuzz_readers import READERS

    from sherf.errors import SherfError


def main() -> None:
    """Run libFuzzer on the reader; it ends the process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=READERS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, default=Path("out/fuzz-coverage"))
    options = parser.parse_args()
    reader, folder = READERS[options.name], Path(tempfile.mkdtemp())
    read, path = reader.prepare(folder), folder / f"input{reader.suffix}"
    corpus = options.corpus.absolute() / options.name.replace(" ", "-")
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(reader.seeds()):
        (corpus / f"valid{number}").write_bytes(data)

    def once(data: bytes) -> None:
        path.write_bytes(data)
        try:
            read(path)
        except SherfError:
            return

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)
        return atheris.Mutate(data, most) if random.random() < 0.5 else mutated([data], random)[:most]

    limits = [f"-max_total_time={options.seconds}", "-timeout=10", "-rss_limit_mb=3000", f"-max_len={MOST_BYTES}"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={corpus}/", str(corpus)], once, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

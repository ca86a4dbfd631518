"""Read OpenMetrics text with Prometheus' own parser, which refuses what is not exactly right, and
print what it found: [{name, type, unit, help, labels, samples: {"name{a=b}": value}}]."""
import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

families = []
for family in text_string_to_metric_families(sys.stdin.read()):
    labels = sorted({name for s in family.samples for name in s.labels if name != "le"})
    samples = {
        s.name + "".join(f"{{{k}={v}}}" for k, v in sorted(s.labels.items())): s.value
        for s in family.samples
    }
    families.append({"name": family.name, "type": family.type, "unit": family.unit,
                     "help": family.documentation, "labels": labels, "samples": samples})
json.dump(families, sys.stdout)

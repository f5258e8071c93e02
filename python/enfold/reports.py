"""What Model.explain(), inspect(), profile() and diff() give: dictionaries that print as tables.

    report = model.explain()
    print(report)               # tables, for people
    report["ops"][0]["runs_as"] # or report.ops: members, for programs

The members are those that the options --json of the command's `explain`, `inspect`, `bench` and
`diff` write.
"""

from __future__ import annotations

import collections
import html
import json
from collections.abc import Sequence
from typing import Any

Rows = list[list[str]]


class Report(dict[str, Any]):
    """A report's members, also as attributes. str() gives its tables, and so do notebooks."""

    @classmethod
    def from_json(cls, text: str) -> Report:
        return cls(json.loads(text))

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no member '{name}'") from None

    def _summary(self) -> str:
        raise NotImplementedError

    def _tables(self) -> list[Rows]:
        """Each with its header first."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<enfold.{type(self).__name__} {self._summary().partition(chr(10))[0]}>"

    def __str__(self) -> str:
        return "\n\n".join([self._summary(), *map(_text, self._tables())])

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self._summary())}</p>" + "".join(map(_html, self._tables()))


class Explanation(Report):
    """Why a model compiles as it does: `batch_norms`, `remarks`, `ops`, and `folds` if measured."""

    def refused(self, pass_name: str | None = None) -> list[dict[str, Any]]:
        """The rewrites that were not done, each with its reason; of one pass or of all."""
        return [
            remark
            for remark in self["remarks"]
            if remark["outcome"] == "refused" and pass_name in (None, remark["pass"])
        ]

    def _summary(self) -> str:
        norms = self["batch_norms"]
        statuses = [
            f"{count} {status}"
            for status, count in norms.items()
            if status not in ("total", "nodes") and count
        ]
        text = f"{self['model']}: {len(self['ops'])} ops, {norms['total']} batch normalizations"
        return f"{text} ({', '.join(statuses)})" if statuses else text

    def _tables(self) -> list[Rows]:
        groups: dict[tuple[str, ...], list[dict[str, Any]]] = collections.defaultdict(list)
        for remark in self["remarks"]:
            groups[remark["pass"], remark["outcome"], remark["reason"]].append(remark)
        remarks = [["pass", "outcome", "reason", "count", "nodes", "why"]]
        for key, group in groups.items():
            first = group[0]
            remarks.append([*key, str(len(group)), _nodes(first["nodes"]), first["message"]])
        ops = [["op", "runs as", "type", "nodes"]]
        for op in self["ops"]:
            name = "+".join([op["op"], *op["epilogue"]])
            ops.append([_shortened(name, 44), op["runs_as"], op["type"], _nodes(op["nodes"])])
        tables = [remarks, ops]
        if "folds" in self:
            folds = [["folded", "error", "bound", "of"]]
            for fold in self["folds"]:
                numbers = [f"{fold['error']:.2e}", f"{fold['bound']:.2e}", f"{fold['scale']:.3g}"]
                folds.append([_shortened(fold["nodes"]), *numbers])
            tables.insert(1, folds)
        return tables


class Inspection(Report):
    """What a model takes, gives, holds and costs; of a library, how it was made."""

    def _summary(self) -> str:
        lines = [self["model"]]
        for role in ("inputs", "outputs"):
            for tensor in self[role]:
                sizes = ",".join(map(str, tensor["shape"]))
                lines.append(f"  {role[:-1]:6}  {tensor['name']}: {tensor['elem']}[{sizes}]")
        if "cpu" in self:
            lines.append(f"  made by enfold {self['enfold']} for {self['cpu']}")
        else:
            bytes_ = _bytes(self["parameter_bytes"])
            lines.append(f"  parameters  {self['parameters']:,} ({bytes_})")
            lines.append(f"  arithmetic  {self['flops'] / 1e9:.3g} GFLOP")
        memory = f"{_bytes(self['arena_bytes'])}, constants {_bytes(self['constant_bytes'])}"
        lines.append(f"  memory      intermediate results {memory}")
        lines.append(f"  runs as     {self['calls']} kernel calls")
        lines += [f"    without a kernel: {op}" for op in self.get("reference_ops", [])]
        return "\n".join(lines)

    def _tables(self) -> list[Rows]:
        if "ops" not in self:
            return []
        before, after = self["ops"], self["ops_after_passes"]
        rows = [["op", "in the model", "after the passes"]]
        for op in sorted({*before, *after}):
            rows.append([op, str(before.get(op, 0)), str(after.get(op, 0))])
        return [rows]


class Profile(Report):
    """Latency in milliseconds, and the time of every kernel in microseconds."""

    def _summary(self) -> str:
        latency, limits = self["latency_ms"], self["limits"]
        peaks = ", ".join(f"{peak:.0f} GFLOP/s in {of}" for of, peak in limits["peaks"].items())
        return (
            f"{self['model']}: median {latency['p50']:.4g} ms, least {latency['min']:.4g} ms, "
            f"{self['threads']} thread{'s' if self['threads'] > 1 else ''}, "
            f"{self['samples']} runs\n"
            f"limits of this machine: {peaks}, {limits['gbps']:.1f} GB/s"
        )

    def _tables(self) -> list[Rows]:
        total = sum(kernel["us"] for kernel in self["profile"]) or 1.0
        rows = [["us", "%", "GFLOP/s", "GB/s", "of limit", "bound by", "type"]]
        rows[0] += ["algorithm", "nodes"]
        for kernel in self["profile"]:
            rows.append(
                [
                    f"{kernel['us']:.1f}",
                    f"{100 * kernel['us'] / total:.1f}",
                    f"{kernel['gflops']:.1f}",
                    f"{kernel['gbps']:.1f}",
                    f"{kernel['percent_of_limit']:.0f} %",
                    kernel["bound_by"],
                    kernel["multiplies"],
                    kernel["algorithm"],
                    _shortened(kernel["nodes"]),
                ]
            )
        return [rows]


class Quantization(Report):
    """What became of each layer of a quantized network, and what the outputs lose."""

    def _summary(self) -> str:
        lines = [
            f"{self['layers_quantized']} of {len(self['layers'])} layers in 8 bits, by "
            f"{self['samples']} samples: {self['method']} ranges, {self['equalized_pairs']} pairs of "
            f"layers equalized, {self['corrected_layers']} biases corrected"
        ]
        for output in self["outputs"]:
            lines.append(
                f"output {output['name']}: SNR {_decibels(output['snr_db'])}, largest error "
                f"{output['max_abs']:.3g}"
            )
        if "accuracy" in self:
            before, after = self["accuracy"]["before"], self["accuracy"]["after"]
            lines.append(
                f"accuracy: {before['right']} of {before['of']} in floats, {after['right']} quantized"
            )
        return "\n".join(lines)

    def _tables(self) -> list[Rows]:
        rows = [["layer", "op", "SNR", "low", "high", "scale", "zero", "type"]]
        for layer in self["layers"]:
            codes = ["-"] * 4
            if "scale" in layer:
                codes = [f"{number:.4g}" for number in [*layer["range"], layer["scale"]]]
                codes.append(str(layer["zero_point"]))
            kind = "8 bits" if layer["quantized"] else f"float: {layer['reason']}"
            rows.append([layer["name"], layer["op"], _decibels(layer["snr_db"]), *codes, kind])
        return [rows]


class Diff(Report):
    """Every tensor that a compiled model computes, beside the same tensor computed in another way.

    `bool(diff)` is whether any differs by more than rounding; `tensors` lists those first.
    """

    def __bool__(self) -> bool:
        return bool(self["different"])

    def _summary(self) -> str:
        count, against = len(self["tensors"]), self["against"]
        if not self:
            return f"{self['model']}: none of {count} tensors differs from {against}"
        first = self["tensors"][0]["name"]
        return (
            f"{self['model']}: {self['different']} of {count} tensors differ from {against}, "
            f"first {first}"
        )

    def _tables(self) -> list[Rows]:
        rows = [["tensor", "node", "max abs", "of", "max rel", "ulp", "status"]]
        for tensor in self["tensors"]:
            away = "" if tensor["how"] == "computed" else " (fused away)"
            rows.append(
                [
                    tensor["name"],
                    "" if tensor["nodes"] == tensor["name"] else _shortened(tensor["nodes"]),
                    f"{tensor['max_abs']:.2g}",
                    f"{tensor['scale']:.3g}",
                    f"{tensor['max_relative']:.2g}",
                    f"{tensor['ulp']:.3g}",
                    tensor["status"] + away,
                ]
            )
        return [rows]


def _decibels(value: float | None) -> str:
    return "exact" if value is None else f"{value:.1f} dB"


def _shortened(text: str, size: int = 60) -> str:
    return text if len(text) <= size else text[: size - 3] + "..."


def _nodes(names: Sequence[str]) -> str:
    return _shortened(" + ".join(names))


def _bytes(count: float) -> str:
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit() or cell[:1] == "-"


def _text(rows: Rows) -> str:
    widths = [max(map(len, column)) for column in zip(*rows)]
    right = [len(rows) > 1 and _is_number(cell) for cell in rows[-1]]
    lines = []
    for row in rows:
        cells = zip(row, widths, right)
        line = "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in cells)
        lines.append(line.rstrip())
    return "\n".join(lines)


def _html(rows: Rows) -> str:
    def line(cells: list[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

    return f"<table>{line(rows[0], 'th')}{''.join(line(row, 'td') for row in rows[1:])}</table>"

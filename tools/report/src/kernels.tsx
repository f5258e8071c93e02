// All kernel calls, to be sorted and filtered.
import { bytes, firstOf, flops, micros, number, percent } from "./format";
import type { Step } from "./schema";
import { useShown } from "./state";
import { Bar, Table, type Column } from "./table";

interface Row {
  index: number;
  step: Step;
}

export function Kernels() {
  const { shown, act } = useShown();
  const { report } = shown;
  const rows = report.data.steps.map((step, index) => ({ index, step }));
  const us = (row: Row) => row.step.us?.p50 ?? 0;
  const most = Math.max(...rows.map(us), 1e-9);
  const title = (row: Row) => (row.step.op >= 0 ? report.title(report.op(row.step.op)) : "copy");
  const nodes = (row: Row) => (row.step.op >= 0 ? report.op(row.step.op).nodes : [row.step.nodes]);
  const columns: Column<Row>[] = [
    { title: "#", value: (row) => row.index, isNumber: true },
    { title: "op", value: title },
    { title: "nodes", value: (row) => row.step.nodes, cell: (row) => <span title={row.step.nodes}>{firstOf(nodes(row), 40)}</span> },
    { title: "algorithm", value: (row) => row.step.algorithm },
    { title: "arithmetic", value: (row) => row.step.flops, cell: (row) => flops(row.step.flops), isNumber: true },
    { title: "traffic", value: (row) => row.step.bytes, cell: (row) => bytes(row.step.bytes), isNumber: true },
  ];
  if (report.isMeasured)
    columns.splice(
      4, 0,
      { title: "time", value: us, isNumber: true,
        cell: (row) => <Bar share={us(row) / most}>{micros(us(row))}</Bar> },
      { title: "share", value: us, isNumber: true, cell: (row) => percent(us(row) / report.totalUs) },
      { title: "GFLOP/s", isNumber: true, value: (row) => (us(row) > 0 ? row.step.flops / us(row) / 1e3 : 0),
        cell: (row) => (us(row) > 0 ? number(row.step.flops / us(row) / 1e3) : "") },
      { title: "of limit", isNumber: true, value: (row) => row.step.percent_of_limit ?? 0,
        cell: (row) => `${Math.round(row.step.percent_of_limit ?? 0)} %` },
      { title: "bound by", value: (row) => row.step.bound_by ?? "" },
    );
  if (report.data.steps.some((step) => (step.multiplies ?? "f32") !== "f32"))
    columns.splice(9, 0, { title: "type", value: (row) => row.step.multiplies ?? "" });
  columns.push({ title: "second choice", value: (row) => row.step.next_best });
  return (
    <div class="page wide">
      <h1>Kernel calls</h1>
      <Table
        label="Kernel calls"
        rows={rows}
        columns={columns}
        filter={(row) => `${title(row)} ${row.step.nodes} ${row.step.algorithm}`}
        onChoose={(row) => row.step.op >= 0 && act.select(row.step.op, "graph")}
      />
    </div>
  );
}

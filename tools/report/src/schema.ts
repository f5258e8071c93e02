// The data of a report, as `enfold report` writes it: docs/schemas/report.json.

export interface Value {
  name: string;
  type: string;
  bytes: number;
  source: "input" | "constant" | "computed";
}

export interface Op {
  op: string;
  epilogue: string[];
  operands: number[]; // indices of values; -1: absent
  results: number[];
  nodes: string[];
  text: string;
}

export interface Stage {
  pass: string; // "": as imported
  ms: number;
  rewrites: number;
  ops: number[];
}

export interface Remark {
  pass: string;
  outcome: "applied" | "refused";
  reason: string;
  op: string;
  value: string;
  nodes: string[];
  message: string;
}

export interface Times {
  min: number;
  p5: number;
  p50: number;
  p90: number;
}

export interface Step {
  op: number;
  kernel: number;
  algorithm: string;
  next_best: string;
  nodes: string;
  flops: number;
  bytes: number;
  buffers: number[];
  us?: Times;
  percent_of_limit?: number;
  bound_by?: string;
  multiplies?: string; // the type of the numbers multiplied
}

/** From a thread's first piece of a step to its last, since the run began. */
export interface Span {
  kernel: number; // index of the step
  thread: number;
  begin_us: number;
  end_us: number;
  busy_us: number;
}

export interface Buffer {
  space: "input" | "output" | "constant" | "arena";
  bytes: number;
  offset: number;
  first: number;
  last: number;
}

export interface Arm {
  name: string;
  latency_ms: { min: number; p5: number; p50: number; p90: number; p99: number; mean: number };
  samples: number;
  ratio: { median: number; low: number; high: number };
  steps: { nodes: string; algorithm: string; us: Times }[];
}

export interface ListedText {
  text: string;
  origin: number[];
}

export interface Kernel {
  name: string;
  kir: string;
  llvm: ListedText;
  assembly: ListedText;
}

export interface ReportData {
  schema: string;
  version: number;
  enfold: string;
  model: string;
  target: { cpu: string; isa: string };
  pipeline: string;
  inputs: { name: string; elem: string; shape: number[] }[];
  outputs: { name: string; elem: string; shape: number[] }[];
  parameters: number;
  parameter_bytes: number;
  notes: string[];
  /** Why the times are not to be trusted. */
  complaints?: string[];
  graph: { values: Value[]; ops: Op[]; stages: Stage[] };
  passes: Record<string, string>;
  idle_passes: string[];
  batch_norms: { total: number; folded: number };
  reasons: Record<string, string>;
  remarks: Remark[];
  ops: { op: number; runs_as: string; refused: Record<string, string> }[];
  steps: Step[];
  buffers: Buffer[];
  arena_bytes: number;
  constant_bytes: number;
  scratch_bytes: number;
  kernels: { name: string; packed: string }[];
  threads?: number;
  compile_ms?: { passes: number; lowering: number; codegen: number };
  limits?: { gflops: number; gbps: number; peaks: Record<string, number> };
  timeline?: { threads: number; us: number; spans: Span[] };
  arms?: Arm[];
  errors?: { value: string; error: number; scale: number }[];
}

export const kVersion = 1;

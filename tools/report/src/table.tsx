// A table that sorts by its columns and shows as many rows as are asked for.
import type { ComponentChildren } from "preact";
import { useMemo, useState } from "preact/hooks";

export interface Column<T> {
  title: string;
  value(row: T): number | string; // what rows are sorted by
  cell?(row: T): ComponentChildren; // default: the value
  isNumber?: boolean;
}

interface Props<T> {
  rows: T[];
  columns: Column<T>[];
  sortBy?: number; // column; negative numbers first
  isDescending?: boolean;
  label: string;
  filter?(row: T): string; // text that the filter is looked for in
  onChoose?(row: T): void;
}

const kPage = 200;

export function Table<T>(props: Props<T>) {
  const { rows, columns, onChoose } = props;
  const [sort, setSort] = useState({ column: props.sortBy ?? -1, isDescending: props.isDescending ?? false });
  const [most, setMost] = useState(kPage);
  const [filter, setFilter] = useState("");
  const sorted = useMemo(() => {
    const wanted = filter.toLowerCase();
    const kept = props.filter && wanted
      ? rows.filter((row) => props.filter!(row).toLowerCase().includes(wanted))
      : [...rows];
    if (sort.column < 0) return kept;
    const { value } = columns[sort.column];
    const order = (a: number | string, b: number | string) =>
      typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
    return kept.sort((a, b) => order(value(a), value(b)) * (sort.isDescending ? -1 : 1));
  }, [rows, sort, filter]);
  const choose = (column: number) =>
    setSort({
      column,
      isDescending: sort.column === column ? !sort.isDescending : Boolean(columns[column].isNumber),
    });
  return (
    <>
      {props.filter && (
        <p>
          <input type="search" placeholder="Filter rows" aria-label="Filter rows" value={filter}
                 onInput={(e) => setFilter(e.currentTarget.value)} />{" "}
          <span class="muted">{sorted.length} of {rows.length}</span>
        </p>
      )}
      <div class="scroll">
        <table class="grid" aria-label={props.label}>
          <thead>
            <tr>
              {columns.map((column, i) => (
                <th class={column.isNumber ? "number" : ""}
                    aria-sort={sort.column !== i ? "none" : sort.isDescending ? "descending" : "ascending"}>
                  <button class="link" onClick={() => choose(i)}>
                    {column.title}{sort.column === i ? (sort.isDescending ? " ↓" : " ↑") : ""}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sorted.slice(0, most).map((row) => (
              <tr
                class={onChoose ? "chooses" : ""}
                tabIndex={onChoose ? 0 : undefined}
                onClick={() => onChoose?.(row)}
                onKeyDown={(e) => e.key === "Enter" && onChoose?.(row)}
              >
                {columns.map((column) => (
                  <td class={column.isNumber ? "number" : ""}>
                    {column.cell ? column.cell(row) : column.value(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {sorted.length > most && (
        <p><button onClick={() => setMost(most + 5 * kPage)}>Show more ({sorted.length - most} left)</button></p>
      )}
    </>
  );
}

/** A number with a bar behind it. */
export function Bar({ share, children }: { share: number; children: ComponentChildren }) {
  return (
    <span class="barred">
      <i style={{ width: `${Math.min(Math.max(share, 0), 1) * 100}%` }} />
      <span>{children}</span>
    </span>
  );
}

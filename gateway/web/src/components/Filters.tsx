// Filters.tsx - the line of filters above the lists. Each stands in the URL: what one sees can
// be sent to somebody, and comes back by the browser's own button.
import { X } from "lucide-react";
import { useMemo, type ReactNode } from "react";
import { isFiltered, NO_FILTERS, type Filters as Values, type Sort } from "../model/filters";
import { STATUSES, STATUS_TEXTS, type Row, type Section, type Status } from "../model/wire";

interface Props {
  filters: Values;
  rows: ReadonlyMap<string, Row>;
  onChange: (some: Partial<Values>) => void;
}

interface SelectProps<T extends string> {
  label: string;
  value: T;
  options: readonly (readonly [T, string])[];
  onChange: (value: T) => void;
}

function Select<T extends string>({ label, value, options, onChange }: SelectProps<T>): ReactNode {
  return (
    <label className="filter" data-set={value !== "" || undefined}>
      <span className="unseen">{label}</span>
      <select value={value} onChange={(e) => {
        const chosen = options.find(([v]) => v === e.target.value);
        if (chosen) onChange(chosen[0]);
      }}>
        {options.map(([v, text]) => <option key={v} value={v}>{text}</option>)}
      </select>
    </label>
  );
}

/** Who has created something that is known here, by name. */
function creatorsIn(rows: ReadonlyMap<string, Row>, chosen: string | null): [string, string][] {
  const names = new Map<string, string>();
  for (const row of rows.values()) names.set(row.createdBy, row.creator || row.createdBy);
  if (chosen !== null && !names.has(chosen)) names.set(chosen, chosen);
  return [...names].sort((a, b) => a[1].localeCompare(b[1]));
}

const SHOW: readonly (readonly [Section | "", string])[] = [
  ["", "Active and completed"], ["active", "Active"], ["completed", "Completed"], ["failed", "Failed"],
];
const STATUS: readonly (readonly [Status | "", string])[] = [
  ["", "Any status"], ...STATUSES.map((s) => [s, STATUS_TEXTS[s]] as const),
];
const SORT: readonly (readonly [Sort, string])[] = [["created", "Newest first"], ["updated", "Last changed first"]];

export function Filters({ filters, rows, onChange }: Props): ReactNode {
  const creators = useMemo(() => creatorsIn(rows, filters.creator), [rows, filters.creator]);
  const creatorOptions: [string, string][] = [["", "Anyone"], ...creators.map(([sub, name]): [string, string] => [sub, `@${name}`])];
  return (
    <div className="filters" role="group" aria-label="Filters">
      <div className="segments" role="group" aria-label="Whose tasks">
        <button type="button" aria-pressed={!filters.mine} onClick={() => onChange({ mine: false })}>All tasks</button>
        <button type="button" aria-pressed={filters.mine} onClick={() => onChange({ mine: true })}>My tasks</button>
      </div>
      <Select label="Show" value={filters.section ?? ""} options={SHOW} onChange={(v) => onChange({ section: v === "" ? null : v, status: null })} />
      <Select label="Status" value={filters.status ?? ""} options={STATUS} onChange={(v) => onChange({ status: v === "" ? null : v, section: null })} />
      {!filters.mine && (
        <Select label="Creator" value={filters.creator ?? ""} options={creatorOptions} onChange={(v) => onChange({ creator: v === "" ? null : v })} />
      )}
      {isFiltered(filters) && (
        <button type="button" className="quiet small" onClick={() => onChange({ ...NO_FILTERS, sort: filters.sort })}>
          <X aria-hidden size={14} /> Clear
        </button>
      )}
      <span className="grow" />
      <Select label="Order" value={filters.sort} options={SORT} onChange={(v) => onChange({ sort: v })} />
    </div>
  );
}

// Sparkline.tsx - the last three minutes of a figure, as a line.
import type { ReactNode } from "react";
import { pathOf } from "./model";

const WIDTH = 180, HEIGHT = 32;

interface Props {
  values: readonly (number | null)[];
  label: string;
}

export function Sparkline({ values, label }: Props): ReactNode {
  const known = values.filter((v) => v !== null);
  const most = known.length > 0 ? Math.max(...known) : 0;
  return (
    <svg className="sparkline" role="img" viewBox={`0 -2 ${WIDTH} ${HEIGHT + 4}`} preserveAspectRatio="none"
      aria-label={`${label} in the last three minutes, at most ${Math.round(most)}`}>
      <line x1="0" y1={HEIGHT} x2={WIDTH} y2={HEIGHT} className="sparkline-ground" />
      <path d={pathOf(values, WIDTH, HEIGHT)} className="sparkline-line" />
    </svg>
  );
}

// useTheme.ts - light, dark, or as the system has it.
import { useCallback, useState } from "react";

export const THEMES = [["system", "As the system"], ["light", "Light"], ["dark", "Dark"]] as const;

const KEPT = "taskwire.theme";

function known(text: string | null): string {
  return THEMES.find(([value]) => value === text)?.[0] ?? "system";
}

export function applyTheme(theme: string = known(localStorage.getItem(KEPT))): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

export function useTheme(): { theme: string; setTheme: (theme: string) => void } {
  const [theme, set] = useState(() => known(localStorage.getItem(KEPT)));
  const setTheme = useCallback((text: string) => {
    const next = known(text);
    localStorage.setItem(KEPT, next);
    applyTheme(next);
    set(next);
  }, []);
  return { theme, setTheme };
}

// useLate.ts - true once something has lasted longer than a person notices: no spinner before.
import { useEffect, useState } from "react";

const NOTICED_MS = 300;

export function useLate(isOn: boolean): boolean {
  const [isLate, setLate] = useState(false);
  useEffect(() => {
    if (!isOn) {
      setLate(false);
      return undefined;
    }
    const timer = setTimeout(() => setLate(true), NOTICED_MS);
    return () => clearTimeout(timer);
  }, [isOn]);
  return isOn && isLate;
}

// useScrollMemory.ts - a page that one comes back to stands where it was left.
import { useEffect, useLayoutEffect } from "react";
import { useLocation, useNavigationType } from "react-router";

const places = new Map<string, number>();
const PLACES_MAX = 50;

export function useScrollMemory(): void {
  const { key } = useLocation();
  const isBack = useNavigationType() === "POP";
  useLayoutEffect(() => {
    window.scrollTo(0, isBack ? places.get(key) ?? 0 : 0);
    // Only when one comes to the page: filters change its address, but not where one stands.
    // The key is remembered on leaving, below.
  }, []);
  useEffect(() => {
    const note = (): void => {
      places.delete(key);
      places.set(key, window.scrollY);
      const [first] = places.keys();
      if (places.size > PLACES_MAX && first !== undefined) places.delete(first);
    };
    window.addEventListener("scroll", note, { passive: true });
    return () => window.removeEventListener("scroll", note);
  }, [key]);
}

// links.ts - which addresses the page makes links of (SPEC T5): https, and http to loopback.
// taskd has checked them already; a page that trusts nobody checks again.

export function safeUrl(text: string | undefined): string | null {
  if (!text) return null;
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return null;
  }
  const loopback = url.hostname === "localhost" || url.hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(url.hostname);
  if (url.username || url.password) return null;
  return url.protocol === "https:" || (url.protocol === "http:" && loopback) ? url.href : null;
}

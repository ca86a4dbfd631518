// ExternalLink.tsx - a link out of the page: checked, in a new tab, telling nothing of us. What
// is no address that we follow is shown as text.
import type { ReactNode } from "react";
import { safeUrl } from "../model/links";

interface Props {
  url: string | undefined;
  className?: string;
  children: ReactNode;
}

export function ExternalLink({ url, className, children }: Props): ReactNode {
  const href = safeUrl(url);
  if (!href) return <span className={className}>{children}</span>;
  return (
    <a className={className} href={href} target="_blank" rel="noopener noreferrer">
      {children}<span className="unseen"> (opens in a new tab)</span>
    </a>
  );
}

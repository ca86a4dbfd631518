// Broken.tsx - where a part of the page has failed: says so and lets the rest go on.
import { Component, type ReactNode } from "react";

interface Props {
  /** Another place is another chance. */
  place: string;
  children: ReactNode;
}

interface State {
  brokenAt: string | null;
}

export class Broken extends Component<Props, State> {
  override state: State = { brokenAt: null };

  override componentDidCatch(): void {
    this.setState({ brokenAt: this.props.place });
  }

  static getDerivedStateFromProps(props: Props, state: State): State | null {
    return state.brokenAt !== null && state.brokenAt !== props.place ? { brokenAt: null } : null;
  }

  override render(): ReactNode {
    if (this.state.brokenAt === null) return this.props.children;
    return (
      <main className="page" id="main">
        <div className="empty" role="alert">
          <h1>This page has failed</h1>
          <p>Your tasks are safe. <button type="button" className="quiet small" onClick={() => window.location.reload()}>Load it again</button></p>
        </div>
      </main>
    );
  }
}

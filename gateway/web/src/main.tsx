// main.tsx - puts the page into its document. Where tokens come from: public/host.js.
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { BrowserRouter } from "react-router";
import { App } from "./App";
import { SignIn } from "./components/SignIn";
import { TaskwireProvider } from "./context/TaskwireProvider";
import { applyTheme } from "./hooks/useTheme";
import { loadPartsAtRest } from "./parts";
import "./styles/theme.css";
import "./styles/controls.css";
import "./styles/frame.css";
import "./styles/dashboard.css";
import "./styles/task.css";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
applyTheme();
loadPartsAtRest();
const tokens = window.taskwireHost;
createRoot(root).render(
  <StrictMode>
    <TaskwireProvider {...(tokens ? { tokens } : {})} signedOut={<SignIn isHosted={tokens !== undefined} />}>
      <BrowserRouter><App /></BrowserRouter>
    </TaskwireProvider>
  </StrictMode>,
);

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { createQueries } from "./api/queryClient";
import { signInByLink } from "./api/signInLink";
import "./app.css";
import { createAppRouter } from "./router";
import { preloadWhenIdle } from "./ui/lazy";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root element");

await signInByLink();

createRoot(root).render(
  <StrictMode>
    <App router={createAppRouter()} queries={createQueries()} />
  </StrictMode>,
);

// Preloaded views remain usable when the server stops.
window.addEventListener("load", () => void preloadWhenIdle());

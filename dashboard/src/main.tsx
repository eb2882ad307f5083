import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { sessionQuery } from "./api/access";
import { createQueries } from "./api/queryClient";
import { linkOf, takeLink } from "./api/signInLink";
import "./app.css";
import { createAppRouter } from "./router";
import { preloadWhenIdle } from "./ui/lazy";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root element");

takeLink();
window.addEventListener("hashchange", () => {
  // Pasting a sign-in link into the address bar of an open page changes only the fragment and loads nothing.
  if (linkOf(window.location.hash)) window.location.reload();
});

const queries = createQueries();
const router = createAppRouter(queries);
// The view and its data load while the frame renders.
void router.load();
void queries.prefetchQuery(sessionQuery);

createRoot(root).render(
  <StrictMode>
    <App router={router} queries={queries} />
  </StrictMode>,
);

// Preloaded views remain usable when the server stops.
window.addEventListener("load", () => void preloadWhenIdle());

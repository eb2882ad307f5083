import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { Modal } from "@/ui/Drawer";
import { keepFilters } from "./keepFilters";
import { NAV } from "./nav";

const OPEN_EVENT = "sentistream:shortcuts";

/** Opens the list of shortcuts. */
export function openShortcuts(): void {
  window.dispatchEvent(new Event(OPEN_EVENT));
}

/** Handles keyboard shortcuts and lists them. */
export function Shortcuts() {
  const [open, setOpen] = useState(false);
  const navigate = useNavigate();
  useEffect(() => {
    const show = () => setOpen(true);
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const view = NAV[Number(event.key) - 1];
      if (event.key === "?") show();
      else if (event.key === "/") focusSearch(() => void navigate({ to: "/posts", search: keepFilters }));
      else if (view) void navigate({ to: view.to, search: keepFilters });
      else return;
      event.preventDefault();
    };
    window.addEventListener("keydown", press);
    window.addEventListener(OPEN_EVENT, show);
    return () => {
      window.removeEventListener("keydown", press);
      window.removeEventListener(OPEN_EVENT, show);
    };
  }, [navigate]);
  return (
    <Modal title="Keyboard shortcuts" open={open} onClose={() => setOpen(false)}>
      <dl className="grid grid-cols-[5rem_1fr] gap-y-2 text-sm">
        <Shortcut keys="/">Search posts</Shortcut>
        <Shortcut keys="?">Show this list</Shortcut>
        <Shortcut keys="j / k">Next and previous post in the drawer</Shortcut>
        <Shortcut keys="Esc">Close a dialog or menu</Shortcut>
        {NAV.slice(0, 9).map(({ to, label }, index) => (
          <Shortcut key={to} keys={String(index + 1)}>
            {label}
          </Shortcut>
        ))}
      </dl>
    </Modal>
  );
}

function Shortcut({ keys, children }: { keys: string; children: string }) {
  return (
    <>
      <dt>
        <kbd className="rounded-sm border border-strong bg-raised px-1.5 py-0.5 font-mono text-xs">
          {keys}
        </kbd>
      </dt>
      <dd>{children}</dd>
    </>
  );
}

/** Focuses the search field. In a view without a search field it opens the posts first. */
function focusSearch(goToPosts: () => void): void {
  if (focusField()) return;
  goToPosts();
  const observer = new MutationObserver(() => {
    if (focusField()) observer.disconnect();
  });
  observer.observe(document.body, { childList: true, subtree: true });
}

function focusField(): boolean {
  const field = document.querySelector<HTMLInputElement>("#search");
  field?.focus();
  field?.select();
  return field !== null;
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.closest("input, textarea, select, [role=dialog], [role=listbox]") !== null
  );
}

import { Dialog } from "@base-ui/react/dialog";
import { X } from "lucide-react";
import { type ReactNode, useRef } from "react";
import { IconButton } from "./Button";
import { cx } from "./cx";

interface PanelProps {
  title: string;
  open: boolean;
  onClose: () => void;
  /** Buttons in the title line. */
  actions?: ReactNode;
  children: ReactNode;
}

const backdrop =
  "fixed inset-0 z-40 bg-[rgb(0_0_0/0.4)] transition-opacity duration-150 data-[starting-style]:opacity-0 data-[ending-style]:opacity-0";

/** A panel at the right edge, over the page. On phones it takes the full width. */
export function Drawer(props: PanelProps) {
  return (
    <Panel
      {...props}
      className={cx(
        "fixed inset-y-0 right-0 z-50 flex w-full max-w-[30rem] flex-col border-l border-border bg-card outline-none",
        "transition-[opacity,translate] duration-150 ease-out",
        "data-[starting-style]:translate-x-6 data-[starting-style]:opacity-0",
        "data-[ending-style]:translate-x-6 data-[ending-style]:opacity-0",
      )}
    />
  );
}

/** A dialog in the middle of the page. */
export function Modal(props: PanelProps) {
  return (
    <Panel
      {...props}
      className={cx(
        "fixed top-1/2 left-1/2 z-50 flex max-h-[90dvh] w-[min(92vw,34rem)] -translate-1/2 flex-col",
        "rounded-card border border-strong bg-card outline-none transition-opacity duration-150",
        "data-[starting-style]:opacity-0 data-[ending-style]:opacity-0",
      )}
    />
  );
}

function Panel({ title, open, onClose, actions, className, children }: PanelProps & { className: string }) {
  const popup = useRef<HTMLDivElement>(null);
  return (
    <Dialog.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className={backdrop} />
        <Dialog.Popup ref={popup} initialFocus={popup} className={className}>
          <header className="flex min-h-12 shrink-0 items-center justify-between gap-1 border-b border-border py-1 pr-2 pl-4">
            <Dialog.Title className="flex-1 text-base font-semibold">{title}</Dialog.Title>
            {actions}
            <Dialog.Close render={<IconButton label="Close" />}>
              <X size={16} />
            </Dialog.Close>
          </header>
          <div className="min-h-0 flex-1 overflow-y-auto p-4">{children}</div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

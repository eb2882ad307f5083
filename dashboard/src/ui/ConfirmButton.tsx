import { type ReactNode, useState } from "react";
import { ApiError } from "@/api/client";
import { Button } from "./Button";
import { Modal } from "./Drawer";

interface ConfirmButtonProps {
  /** What the button says, and does after the question. */
  action: string;
  icon?: ReactNode;
  title: string;
  text: string;
  pending: boolean;
  error: unknown;
  disabled?: boolean;
  onConfirm: () => void;
}

/** A button for what cannot be undone: it asks first. */
export function ConfirmButton({
  action,
  icon,
  title,
  text,
  pending,
  error,
  disabled,
  onConfirm,
}: ConfirmButtonProps) {
  const [open, setOpen] = useState(false);
  const confirm = () => {
    setOpen(false);
    onConfirm();
  };
  return (
    <>
      <Button onClick={() => setOpen(true)} disabled={disabled || pending}>
        {icon}
        {pending ? "Working" : action}
      </Button>
      <FailureNote error={error} />
      <Modal title={title} open={open} onClose={() => setOpen(false)}>
        <p className="text-sm text-quiet">{text}</p>
        <div className="mt-4 flex justify-end gap-2">
          <Button onClick={() => setOpen(false)}>Cancel</Button>
          <Button look="danger" onClick={confirm}>
            {action}
          </Button>
        </div>
      </Modal>
    </>
  );
}

/** Why an action did not work. */
export function FailureNote({ error }: { error: unknown }) {
  if (!error) return null;
  return (
    <p role="alert" className="w-full text-sm">
      {error instanceof ApiError ? `${error.title}. ${error.detail}` : "That did not work. Try again."}
    </p>
  );
}

import { type ReactNode, useState } from "react";
import { problemText } from "@/api/problemText";
import { Button } from "./Button";
import { Modal } from "./Drawer";

interface ConfirmButtonProps {
  /** The label of the button, and of the button in the dialog that confirms. */
  action: string;
  icon?: ReactNode;
  title: string;
  text: string;
  pending: boolean;
  error: unknown;
  disabled?: boolean;
  onConfirm: () => void;
}

/** A button that asks for confirmation. */
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

/** The error of a failed action. */
export function FailureNote({ error }: { error: unknown }) {
  if (!error) return null;
  const { title, advice } = problemText(error);
  return (
    <p role="alert" className="w-full text-sm">
      {title}. {advice}
    </p>
  );
}

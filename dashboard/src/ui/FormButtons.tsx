import { Button } from "./Button";

interface FormButtonsProps {
  /** The label of the submit button. */
  submit: string;
  pending: boolean;
  disabled?: boolean;
  onCancel: () => void;
}

/** The buttons at the end of a form. */
export function FormButtons({ submit, pending, disabled = false, onCancel }: FormButtonsProps) {
  return (
    <div className="flex justify-end gap-2">
      <Button onClick={onCancel}>Cancel</Button>
      <Button type="submit" look="solid" disabled={pending || disabled}>
        {submit}
      </Button>
    </div>
  );
}

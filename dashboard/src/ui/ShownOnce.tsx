import { Button } from "./Button";
import { Command } from "./states";

interface ShownOnceProps {
  /** What the secret is for and what to do with it. */
  text: string;
  /** The text of the secret: a token or a link. */
  secret: string;
  onDone: () => void;
}

/** A secret that the server shows only once, with a button that copies it. */
export function ShownOnce({ text, secret, onDone }: ShownOnceProps) {
  return (
    <div role="status" className="flex flex-col gap-3 text-sm">
      <p>{text}</p>
      <Command>{secret}</Command>
      <p className="text-quiet">Copy it now. The server stores only a hash and cannot show it again.</p>
      <Button look="solid" className="self-end" onClick={onDone}>
        Done
      </Button>
    </div>
  );
}

import { useQueryClient } from "@tanstack/react-query";
import { LogOut } from "lucide-react";
import { type FormEvent, useState } from "react";
import { askToSignIn, useIsSignedIn, useSignInReason, writeToken } from "@/api/session";
import { Button, IconButton } from "@/ui/Button";
import { Modal } from "@/ui/Drawer";
import { inputClass } from "@/ui/Input";

/** Asks for an access token when the server requires one. */
export function SignIn() {
  const reason = useSignInReason();
  return (
    <Modal title="Sign in" open={reason !== null} onClose={() => askToSignIn(null)}>
      <TokenForm reason={reason ?? ""} />
    </Modal>
  );
}

function TokenForm({ reason }: { reason: string }) {
  const queries = useQueryClient();
  const [token, setToken] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    writeToken(token.trim());
    void queries.invalidateQueries();
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      <p className="text-sm text-quiet">{reason}</p>
      <label className="flex flex-col gap-1 text-xs text-quiet">
        Access token
        <input
          type="password"
          autoComplete="off"
          value={token}
          onChange={(event) => setToken(event.target.value)}
          className={inputClass}
          required
        />
      </label>
      <p className="text-xs text-quiet">
        The token is stored in this tab until you close it. Ask the administrator of this server for one.
        Viewing needs the scope “read”; deleting posts and handling dead letters need “admin”.
      </p>
      <Button type="submit" look="solid" disabled={token.trim() === ""}>
        Sign in
      </Button>
    </form>
  );
}

/** Removes the token. */
export function SignOut() {
  const queries = useQueryClient();
  const signedIn = useIsSignedIn();
  if (!signedIn) return null;
  const leave = () => {
    writeToken(null);
    void queries.resetQueries();
  };
  return (
    <IconButton label="Sign out" onClick={leave}>
      <LogOut size={16} />
    </IconButton>
  );
}

import type { Session } from "@/api/types";
import { buttonClass } from "@/ui/Button";
import { Command } from "@/ui/states";
import { PasswordForm } from "./PasswordForm";
import { TokenForm } from "./TokenForm";

interface SignInWaysProps {
  session: Session;
  /** The path to return to. */
  back: string;
  /** Why the page asks to sign in. */
  notice: string | null;
  onDone: (session: Session) => void;
}

/** The ways to sign in that the server offers. */
export function SignInWays({ session: { sign_in: ways, setup }, back, notice, onDone }: SignInWaysProps) {
  const hasOther = ways.password || ways.oidc.length > 0;
  return (
    <>
      <h1 className="text-xl font-semibold">Sign in</h1>
      {notice && (
        <p role="status" className="text-sm">
          {notice}
        </p>
      )}
      {setup && ways.oidc.length === 0 && <FirstAccountNote />}
      {ways.password && <PasswordForm onDone={onDone} />}
      {ways.password && ways.oidc.length > 0 && <Divider />}
      {ways.oidc.map(({ name, url }) => (
        <a
          key={url}
          href={`${url}?return=${encodeURIComponent(back)}`}
          className={buttonClass(ways.password ? "outline" : "solid", "h-9")}
        >
          Sign in with {name}
        </a>
      ))}
      {ways.token && !hasOther && <TokenForm onDone={onDone} />}
      {ways.token && hasOther && (
        <details className="text-sm">
          <summary className="py-1 text-quiet hover:text-text">Use an access token</summary>
          <div className="mt-3">
            <TokenForm onDone={onDone} />
          </div>
        </details>
      )}
    </>
  );
}

function FirstAccountNote() {
  return (
    <div className="flex flex-col gap-2 text-sm text-quiet">
      <p>
        No account exists yet. Open the sign-in link in the server's log to create the first one, or print a
        new link on the server:
      </p>
      <Command>sentistream sign-in</Command>
    </div>
  );
}

function Divider() {
  return (
    <div className="flex items-center gap-3 text-xs text-quiet">
      <span className="h-px flex-1 bg-border" />
      or
      <span className="h-px flex-1 bg-border" />
    </div>
  );
}

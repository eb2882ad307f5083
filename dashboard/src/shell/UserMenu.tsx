import { Menu } from "@base-ui/react/menu";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useRouter } from "@tanstack/react-router";
import { LogOut, UserRound } from "lucide-react";
import { useState } from "react";
import { useSessionQuery } from "@/api/access";
import { signOut } from "@/api/accounts";
import { writeToken } from "@/api/session";
import { SIGN_IN_PATH } from "@/api/signInLink";
import { roleName } from "@/lib/roles";
import { Button, buttonClass } from "@/ui/Button";
import { FailureNote } from "@/ui/ConfirmButton";
import { cx } from "@/ui/cx";
import { Modal } from "@/ui/Drawer";
import { menuItemClass, popupClass } from "@/ui/popup";

/** The menu of the signed-in user: the account and Sign out. Hidden on a server that needs no sign-in. */
export function UserMenu() {
  const session = useSessionQuery().data;
  const [failure, setFailure] = useState<Error | null>(null);
  const leave = useSignOut(setFailure);
  if (session?.kind !== "session" && session?.kind !== "token") return null;
  const { name, user } = session;
  return (
    <>
      <Menu.Root modal={false}>
        <Menu.Trigger
          aria-label={`Account of ${name}`}
          title={`Signed in as ${name}`}
          className={cx(buttonClass("plain"), "w-8 px-0")}
        >
          <UserRound size={16} />
        </Menu.Trigger>
        <Menu.Portal>
          <Menu.Positioner align="end" sideOffset={6} className="z-50">
            <Menu.Popup className={popupClass}>
              <Menu.Group>
                <Menu.GroupLabel className="max-w-64 px-2.5 py-1.5 text-xs text-quiet">
                  Signed in as <bdi className="font-medium [overflow-wrap:anywhere] text-text">{name}</bdi>
                  <span className="block">{user ? roleName(user.role) : "with an access token"}</span>
                </Menu.GroupLabel>
                {user && (
                  <Menu.Item className={menuItemClass} render={<Link to="/account" />}>
                    <UserRound size={16} aria-hidden="true" />
                    Your account
                  </Menu.Item>
                )}
                <Menu.Item className={menuItemClass} onClick={() => leave.mutate()}>
                  <LogOut size={16} aria-hidden="true" />
                  Sign out
                </Menu.Item>
              </Menu.Group>
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
      <Modal title="Sign-out failed" open={failure !== null} onClose={() => setFailure(null)}>
        <FailureNote error={failure} />
        <p className="mt-2 text-sm text-quiet">
          You may still be signed in. Try again before you leave this device.
        </p>
        <div className="mt-4 flex justify-end">
          <Button onClick={() => leave.mutate()} disabled={leave.isPending}>
            {leave.isPending ? "Signing out" : "Sign out"}
          </Button>
        </div>
      </Modal>
    </>
  );
}

/** Ends the session, forgets everything that was loaded and goes to the sign-in page. */
function useSignOut(onError: (error: Error) => void) {
  const queries = useQueryClient();
  const { history } = useRouter();
  return useMutation({
    mutationFn: signOut,
    onError,
    onSuccess: (redirect) => {
      writeToken(null);
      if (redirect) {
        window.location.assign(redirect);
        return;
      }
      history.push(SIGN_IN_PATH);
      queries.removeQueries();
    },
  });
}

import { useQuery } from "@tanstack/react-query";
import { ifMatch } from "./client";
import { keys } from "./keys";
import { send } from "./send";
import type { Invitation, Role, Session, SignedInDevice, User } from "./types";

/** API calls for accounts and sessions. */

export function signIn(username: string, password: string): Promise<Session> {
  return send("POST", "/api/session", { body: { username, password } });
}

/** Ends the session. The provider of the account may have a page that signs out there, too. */
export async function signOut(): Promise<string | undefined> {
  const answer = await send<{ redirect?: string } | undefined>("DELETE", "/api/session");
  return answer?.redirect;
}

export interface FirstAccount {
  name: string;
  password: string;
  /** The code of a sign-in link. A person with the scope `admin` needs none. */
  code?: string;
}

/** Creates the first account, an administrator, and signs in. */
export function createFirstAccount(body: FirstAccount): Promise<Session> {
  return send("POST", "/api/setup", { body });
}

/** Sets the password of an invited person and signs in. */
export function acceptInvitation(code: string, password: string): Promise<Session> {
  return send("POST", "/api/invitation", { body: { code, password } });
}

export async function changePassword(current_password: string, new_password: string): Promise<void> {
  await send("PUT", "/api/session/password", { body: { current_password, new_password } });
}

export function useUsersQuery() {
  return useQuery({
    queryKey: keys.users.all,
    queryFn: async ({ signal }) =>
      (await send<{ users: User[] }>("GET", "/api/users?limit=200", { signal })).users,
  });
}

export function addUser(name: string, role: Role): Promise<User> {
  return send("POST", "/api/users", { body: { name, role } });
}

export function changeUser({ id, version }: User, change: Pick<User, "name" | "role" | "disabled">) {
  return send<User>("PUT", `/api/users/${id}`, { body: change, headers: ifMatch(version) });
}

export async function deleteUser(id: number): Promise<void> {
  await send("DELETE", `/api/users/${id}`);
}

/** Creates a link with which the person chooses a password. It replaces earlier links. */
export function invite(id: number): Promise<Invitation> {
  return send("POST", `/api/users/${id}/invitation`);
}

/** The sessions of a user, of everyone (`all`), or one's own (``). */
export function useDevicesQuery(user: string) {
  return useQuery({
    queryKey: keys.devices.list(user),
    queryFn: async ({ signal }) => {
      const query = user ? `?limit=200&user=${user}` : "?limit=200";
      return (await send<{ sessions: SignedInDevice[] }>("GET", `/api/sessions${query}`, { signal }))
        .sessions;
    },
  });
}

export async function endSession(id: number): Promise<void> {
  await send("DELETE", `/api/sessions/${id}`);
}

/** Ends all own sessions except the current one. */
export async function endOtherSessions(): Promise<void> {
  await send("DELETE", "/api/sessions");
}

import { useInfiniteQuery } from "@tanstack/react-query";
import { api, dataOf, ifMatch } from "./client";
import { keys } from "./keys";
import type { FirstAccount, Invitation, Role, Session, SignedInDevice, User, UserChange } from "./types";

/** API calls for accounts and sessions. */

/** The number of users or sessions per page. */
const PAGE = 100;

export function signIn(username: string, password: string): Promise<Session> {
  return dataOf(api.POST("/api/session", { body: { username, password } }));
}

/** Ends the session. Returns the sign-out page of the identity provider, if the account has one. */
export async function signOut(): Promise<string | undefined> {
  const answer = await dataOf(api.DELETE("/api/session"));
  return answer?.redirect;
}

/** Creates the first account, an administrator, and signs in. A person with the scope `admin` needs no code. */
export function createFirstAccount(body: FirstAccount): Promise<Session> {
  return dataOf(api.POST("/api/setup", { body }));
}

/** Sets the password of an invited person and signs in. */
export function acceptInvitation(code: string, password: string): Promise<Session> {
  return dataOf(api.POST("/api/invitation", { body: { code, password } }));
}

export async function changePassword(current_password: string, new_password: string): Promise<void> {
  await dataOf(api.PUT("/api/session/password", { body: { current_password, new_password } }));
}

/** The people with an account, in the order of their creation, in pages. */
export function useUsersQuery() {
  const query = useInfiniteQuery({
    queryKey: keys.users.all,
    queryFn: ({ pageParam: cursor, signal }) =>
      dataOf(api.GET("/api/users", { params: { query: { limit: PAGE, cursor } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const users: User[] | undefined = query.data?.pages.flatMap((page) => page.users);
  return { query, users };
}

export function addUser(name: string, role: Role): Promise<User> {
  return dataOf(api.POST("/api/users", { body: { name, role } }));
}

export function changeUser({ id, version }: User, body: UserChange): Promise<User> {
  return dataOf(api.PUT("/api/users/{id}", { params: { path: { id }, header: ifMatch(version) }, body }));
}

export async function deleteUser(id: number): Promise<void> {
  await dataOf(api.DELETE("/api/users/{id}", { params: { path: { id } } }));
}

/** Creates a link with which the person chooses a password. It replaces earlier links. */
export function invite(id: number): Promise<Invitation> {
  return dataOf(api.POST("/api/users/{id}/invitation", { params: { path: { id } } }));
}

/** The sessions of a user, of everyone (`all`) or of the current user (empty text), in pages. */
export function useDevicesQuery(user: string) {
  const query = useInfiniteQuery({
    queryKey: keys.devices.list(user),
    queryFn: ({ pageParam: cursor, signal }) => {
      const query = { limit: PAGE, cursor, ...(user ? { user } : {}) };
      return dataOf(api.GET("/api/sessions", { params: { query }, signal }));
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const devices: SignedInDevice[] | undefined = query.data?.pages.flatMap((page) => page.sessions);
  return { query, devices };
}

export async function endSession(id: number): Promise<void> {
  await dataOf(api.DELETE("/api/sessions/{id}", { params: { path: { id } } }));
}

/** Ends all own sessions except the current one. */
export async function endOtherSessions(): Promise<void> {
  await dataOf(api.DELETE("/api/sessions"));
}

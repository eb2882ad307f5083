import type {
  ApiToken,
  AuditChange,
  AuditEvent,
  Role,
  Scope,
  Session,
  SessionUser,
  SignedInDevice,
  User,
} from "@/api/types";
import { type Answer, iso, ok } from "./answer";

const SCOPES: Readonly<Record<Role, Scope[]>> = {
  viewer: ["read"],
  analyst: ["read", "respond"],
  editor: ["read", "write", "respond", "edit"],
  admin: ["read", "write", "respond", "edit", "admin"],
};

/** The password of every account of the fake server. */
export const PASSWORD = "correct horse battery";

/** The accounts of the fake server. Without accounts everyone may do everything. */
export class AccountWorld {
  readonly users: User[] = [];
  readonly devices: SignedInDevice[] = [];
  readonly tokens: ApiToken[] = [];
  readonly events: AuditEvent[] = [];
  readonly changes: AuditChange[] = [];
  /** The codes of invitations, each with the id of the user. */
  readonly invitations = new Map<string, number>();
  oidc: Session["sign_in"]["oidc"] = [];
  /** The user of the browser. */
  current: SessionUser | null = null;
  /** Whether the server needs credentials although it has no account. */
  required = false;

  add(name: string, role: Role, part: Partial<User> = {}): User {
    const user: User = {
      id: this.users.length + 1,
      name,
      role,
      disabled: false,
      has_password: true,
      provider: null,
      subject: null,
      created_at: iso(Date.now() - 90 * 86_400_000),
      created_by: "first start",
      last_sign_in_at: null,
      invited_until: null,
      version: 1,
      ...part,
    };
    this.users.push(user);
    return user;
  }

  /** Signs the browser in. */
  enter(user: User): void {
    const now = Date.now();
    user.last_sign_in_at = iso(now);
    this.current = { ...user };
    for (const device of this.devices) device.current = false;
    this.devices.unshift(makeDevice(this.devices.length + 1, user, { current: true }));
  }

  addDevice(user: User, part: Partial<SignedInDevice> = {}): void {
    this.devices.push(makeDevice(this.devices.length + 1, user, part));
  }

  session(): Session {
    const isOpen = !this.required && this.users.length === 0;
    const { current } = this;
    return {
      authenticated: isOpen || current !== null,
      kind: current ? "session" : isOpen ? "local" : null,
      name: current?.name ?? (isOpen ? "local" : null),
      user: current,
      scopes: current ? SCOPES[current.role] : isOpen ? SCOPES.admin : [],
      session_id: current ? 1 : null,
      expires_at: current ? iso(Date.now() + 86_400_000) : null,
      idle_expires_at: current ? iso(Date.now() + 3_600_000) : null,
      sign_in: {
        required: !isOpen,
        password: this.users.length > 0,
        link: true,
        token: true,
        oidc: this.oidc,
      },
      setup: this.users.length === 0,
    };
  }

  answer(method: string, { pathname, searchParams }: URL, body: unknown): Answer | undefined {
    const route = `${method} ${pathname}`;
    const fields = (body ?? {}) as Record<string, string>;
    switch (route) {
      case "GET /api/session":
        return ok(this.session());
      case "POST /api/session":
        return this.signIn(fields.username ?? "", fields.password ?? "");
      case "DELETE /api/session":
        this.current = null;
        return { status: 204 };
      case "PUT /api/session/password":
        return fields.current_password === PASSWORD
          ? { status: 204 }
          : invalid("current_password", "is wrong");
      case "POST /api/setup":
        this.enter(this.add(fields.name ?? "", "admin"));
        return { status: 201, json: this.session() };
      case "POST /api/invitation":
        return this.accept(fields.code ?? "");
      case "GET /api/sessions":
        return ok(pageOf("sessions", this.visible(searchParams.get("user")), searchParams));
      case "DELETE /api/sessions":
        this.keep(({ current }) => current);
        return { status: 204 };
      case "GET /api/users":
        return ok(pageOf("users", this.users, searchParams));
      case "POST /api/users":
        return this.create(fields.name ?? "", fields.role as Role);
      case "GET /api/tokens":
        return ok({ tokens: this.tokens });
      case "POST /api/tokens":
        return this.createToken(body as { name: string; scopes: string[]; expires_in_days?: number });
      case "GET /api/audit":
        return ok(pageOf("events", this.found(searchParams), searchParams));
      case "GET /api/alerts/audit":
        return ok(pageOf("entries", this.changes, searchParams));
      default:
        return this.one(method, pathname, body);
    }
  }

  private signIn(name: string, password: string): Answer {
    const user = this.users.find((one) => one.name === name && !one.disabled);
    if (!user || password !== PASSWORD) {
      return problem(401, "Unauthorized", "user name or password is wrong");
    }
    this.enter(user);
    return ok(this.session());
  }

  private accept(code: string): Answer {
    const user = this.users.find(({ id }) => id === this.invitations.get(code));
    if (!user) return problem(401, "Unauthorized", "the invitation is not valid");
    this.invitations.delete(code);
    this.enter(Object.assign(user, { has_password: true, invited_until: null }));
    return ok(this.session());
  }

  private create(name: string, role: Role): Answer {
    if (this.users.some((user) => user.name === name)) return invalid("name", "is taken by another person");
    return { status: 201, json: this.add(name, role, { has_password: false }) };
  }

  private createToken(draft: { name: string; scopes: string[]; expires_in_days?: number }): Answer {
    const days = draft.expires_in_days;
    const token: ApiToken = {
      id: this.tokens.length + 1,
      name: draft.name,
      scopes: draft.scopes,
      created_at: iso(Date.now()),
      created_by: this.current?.name ?? "local",
      expires_at: days === undefined ? null : iso(Date.now() + days * 86_400_000),
      last_used_at: null,
      owner: this.current,
    };
    this.tokens.push(token);
    return { status: 201, json: { ...token, token: "sst_0123456789" } };
  }

  private one(method: string, path: string, body: unknown): Answer | undefined {
    const [, , group = "", id = "", part] = path.split("/");
    if (method === "DELETE" && group === "sessions") {
      this.keep((device) => device.id !== Number(id));
      return { status: 204 };
    }
    if (method === "DELETE" && group === "tokens") {
      remove(this.tokens, ({ id: other }) => other === Number(id));
      return { status: 204 };
    }
    const user = group === "users" ? this.users.find((one) => one.id === Number(id)) : undefined;
    if (!user) return undefined;
    if (method === "DELETE") {
      remove(this.users, (other) => other === user);
      return { status: 204 };
    }
    if (method === "PUT") {
      return ok(Object.assign(user, body, { version: user.version + 1 }));
    }
    if (method !== "POST" || part !== "invitation") return undefined;
    const [code, expires_at] = [`invite-${user.id}`, iso(Date.now() + 3 * 86_400_000)];
    user.invited_until = expires_at;
    this.invitations.set(code, user.id);
    const url = `http://localhost:3000/#invitation=${code}&name=${encodeURIComponent(user.name)}`;
    return { status: 201, json: { code, url, expires_at } };
  }

  private visible(user: string | null): SignedInDevice[] {
    return this.devices.filter((device) => user === "all" || device.user.id === this.current?.id);
  }

  private keep(wanted: (device: SignedInDevice) => boolean): void {
    remove(this.devices, (device) => !wanted(device));
  }

  private found(params: URLSearchParams): AuditEvent[] {
    const is = (name: string, value: string) => !params.get(name) || params.get(name) === value;
    return this.events.filter((event) => is("actor", event.actor) && is("outcome", event.outcome));
  }
}

/** A page of a list, with the index of the next item as cursor. */
function pageOf<T>(name: string, items: readonly T[], params: URLSearchParams) {
  const [limit, start] = [Number(params.get("limit")), Number(params.get("cursor") ?? 0)];
  const next = start + limit;
  return {
    [name]: items.slice(start, next),
    limit,
    next_cursor: next < items.length ? String(next) : null,
  };
}

function makeDevice(id: number, user: User, part: Partial<SignedInDevice>): SignedInDevice {
  const now = Date.now();
  return {
    id,
    user: { id: user.id, name: user.name },
    created_at: iso(now - 3_600_000),
    last_seen_at: iso(now - 60_000),
    expires_at: iso(now + 6 * 86_400_000),
    idle_expires_at: iso(now + 7 * 3_600_000),
    address: "192.0.2.7",
    user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0",
    method: "password",
    current: false,
    ...part,
  };
}

/** An event of the audit log with defaults. */
export function makeEvent(id: number, part: Partial<AuditEvent> = {}): AuditEvent {
  return {
    id,
    at: iso(Date.now() - id * 60_000),
    actor: "ada",
    outcome: "allowed",
    action: "DELETE /api/posts/{post_id}",
    target: `/api/posts/post-${id}`,
    address: "192.0.2.7",
    status: 204,
    request_id: `request-${id}`,
    ...part,
  };
}

/** A change of the audit log with defaults: another threshold of a rule. */
export function makeChange(id: number, part: Partial<AuditChange> = {}): AuditChange {
  return {
    id,
    at: iso(Date.now() - id * 60_000),
    actor: "ada",
    action: "update",
    object_kind: "rule",
    object_id: "4",
    name: "Bad mood",
    before: { name: "Bad mood", threshold: 0.5 },
    after: { name: "Bad mood", threshold: 0.6 },
    ...part,
  };
}

function problem(status: number, title: string, detail: string): Answer {
  return { status, json: { type: "about:blank", title, status, detail } };
}

function invalid(field: string, message: string): Answer {
  const json = { type: "about:blank", title: "Invalid", status: 422, detail: `${field}: ${message}` };
  return { status: 422, json: { ...json, errors: [{ field, message }] } };
}

function remove<T>(list: T[], unwanted: (item: T) => boolean): void {
  for (let index = list.length - 1; index >= 0; index--) {
    if (unwanted(list[index] as T)) list.splice(index, 1);
  }
}

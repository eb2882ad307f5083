import { makeEvent } from "../../src/testing/accounts";
import { iso } from "../../src/testing/answer";
import type { World } from "../../src/testing/world";
import type { Shot } from "./shots";

const DAY = 86_400_000;

/** People, their devices, tokens and an audit log. */
export function furnishAccounts({ accounts }: World, as: NonNullable<Shot["as"]>) {
  const now = Date.now();
  const ada = accounts.add("ada", "admin", { last_sign_in_at: iso(now - 7_200_000) });
  const vera = accounts.add("vera", "viewer", { last_sign_in_at: iso(now - 86_400_000) });
  accounts.add("Ben Okafor", "analyst", {
    has_password: false,
    invited_until: iso(now + 2.5 * DAY),
  });
  accounts.add("a-person-whose-name-is-as-long-as-a-name-may-be-and-has-no-blanks-in-it-at-all", "editor", {
    provider: "https://login.example.org/realms/company",
    last_sign_in_at: iso(now - 40 * DAY),
  });
  accounts.add("נועה", "editor", { disabled: true });
  accounts.addDevice(ada, {
    user_agent: PHONE,
    address: "2001:db8:85a3::8a2e:370:7334",
    last_seen_at: iso(now),
  });
  accounts.addDevice(vera, { user_agent: PHONE });
  accounts.addDevice(vera);
  accounts.oidc = [{ name: "Example Company", url: "/api/session/oidc/start" }];
  accounts.tokens.push(
    {
      ...{ id: 1, name: "grafana", scopes: ["read"], created_at: iso(now - 30 * DAY), created_by: "ada" },
      ...{ expires_at: iso(now + 60 * DAY), last_used_at: iso(now - 4_000), owner: { id: 1, name: "ada" } },
    },
    {
      ...{ id: 2, name: "crm-import", scopes: ["read", "write"], created_at: iso(now - DAY) },
      ...{ created_by: "first start", expires_at: null, last_used_at: null, owner: null },
    },
    {
      ...{ id: 3, name: "notebook", scopes: ["read"], created_at: iso(now - DAY), created_by: "vera" },
      ...{ expires_at: iso(now - 60_000), last_used_at: null, owner: { id: 2, name: "vera" } },
    },
  );
  accounts.events.push(
    makeEvent(1),
    makeEvent(2, {
      actor: "unknown",
      outcome: "denied",
      action: "GET /api/users",
      target: "/api/users",
      status: 401,
    }),
    makeEvent(3, { action: "POST /api/session", target: "/api/session", status: 200 }),
    makeEvent(4, {
      action: "PUT /api/sources/{name}",
      target: "/api/sources/blog%2Fof%20a%20customer",
      status: 200,
    }),
    makeEvent(5, { outcome: "unknown", status: 0, action: "POST /api/topics", target: "/api/topics" }),
  );
  if (as === "ada") accounts.enter(ada);
  if (as === "vera") accounts.enter(vera);
}

const PHONE =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1";

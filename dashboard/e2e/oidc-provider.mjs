// A certified OpenID Connect provider on loopback. Arguments: its port, and the external URL of its only client.
// Any name signs in. Every user has the group "staff".
import Provider from "oidc-provider";

const [port, client] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: "sentistream",
      client_secret: "a secret with % & and spaces",
      redirect_uris: [`${client}/api/session/oidc/callback`],
      post_logout_redirect_uris: [`${client}/sign-in`],
      grant_types: ["authorization_code"],
      response_types: ["code"],
    },
  ],
  claims: {
    openid: ["sub"],
    profile: ["name", "preferred_username", "groups"],
    email: ["email", "email_verified"],
  },
  cookies: { keys: ["a key of the tests"] },
  pkce: { required: () => true },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      preferred_username: id,
      email: `${id}@example.org`,
      email_verified: true,
      groups: ["staff"],
    }),
  }),
});
provider.listen(Number(port), "127.0.0.1", () => process.stdout.write("listening\n"));

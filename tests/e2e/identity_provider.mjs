// A certified identity provider for one client: node identity_provider.mjs PORT APP
import Provider from "oidc-provider";

const [port, app] = process.argv.slice(2);
const client = {
  client_id: "ecoute",
  client_secret: "secret",
  redirect_uris: [`${app}/sign-in/corporate/callback`],
  post_logout_redirect_uris: [`${app}/`],
  backchannel_logout_uri: `${app}/sign-in/corporate/logout`,
  backchannel_logout_session_required: true,
};
const provider = new Provider(`http://localhost:${port}`, {
  clients: [client],
  claims: { openid: ["sub"], profile: ["name", "preferred_username", "groups"] },
  features: { backchannelLogout: { enabled: true } },
  // By itself it sends no logout to an address of this machine.
  fetch: (address, { dispatcher, ...options }) => fetch(address, options),
  findAccount: (_request, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: id, preferred_username: id, groups: ["privacy"] }),
  }),
});
provider.on("backchannel.error", (_request, error) => console.error(error));
provider.listen(port, "localhost", () => console.log("ready"));

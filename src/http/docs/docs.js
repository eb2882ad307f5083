// Lists the operations of the OpenAPI document and sends requests. All texts become text nodes, so that no text of a
// response runs as HTML.

const METHODS = ["get", "post", "put", "patch", "delete"];
const LONGEST_ANSWER = 100_000;

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

function resolve(api, schema) {
  const name = schema?.$ref?.split("/").pop();
  return name ? api.components.schemas[name] : schema;
}

function typeOf(api, given) {
  const schema = resolve(api, given) ?? {};
  if (schema.enum) return schema.enum.join(" | ");
  const parts = schema.oneOf ?? schema.anyOf;
  if (parts) return parts.map((part) => typeOf(api, part)).filter((part) => part !== "null").join(" | ");
  const type = [schema.type ?? "any"].flat().filter((part) => part !== "null").join(" | ");
  return schema.format ? `${type} (${schema.format})` : type;
}

function parameterRow(api, parameter) {
  const { name, required, description, schema, example } = parameter;
  const given = schema?.default ?? "";
  const input = element("input", { name, "aria-label": name, placeholder: String(example ?? given) });
  const row = element(
    "tr",
    {},
    element("td", {}, element("code", {}, name), required ? " *" : ""),
    element("td", { class: "quiet" }, typeOf(api, schema)),
    element("td", {}, description ?? ""),
    element("td", {}, input),
  );
  return { parameter, input, row };
}

function exampleBody(api, content) {
  const schema = resolve(api, content["application/json"]?.schema);
  const example = schema?.example ?? schema?.examples?.[0];
  return example === undefined ? "{}" : JSON.stringify(example, null, 2);
}

async function send(method, path, fields, body) {
  let url = path;
  const query = new URLSearchParams();
  const headers = {};
  for (const { parameter, input } of fields) {
    if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value === "") continue;
    else if (parameter.in === "header") headers[parameter.name] = input.value;
    else query.set(parameter.name, input.value);
  }
  const token = document.getElementById("token").value;
  if (token) headers.authorization = `Bearer ${token}`;
  if (body) headers["content-type"] = "application/json";
  const started = performance.now();
  const answer = await fetch(query.size ? `${url}?${query}` : url, { method: method.toUpperCase(), headers, body: body?.value });
  const text = await answer.text();
  const elapsed = Math.round(performance.now() - started);
  return { line: `${answer.status} ${answer.statusText} in ${elapsed} ms`, text: indented(text).slice(0, LONGEST_ANSWER) };
}

function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function operation(api, method, path, described) {
  const fields = (described.parameters ?? []).map((parameter) => parameterRow(api, parameter));
  const content = described.requestBody?.content;
  const body = content ? element("textarea", { "aria-label": "Body", spellcheck: "false" }) : null;
  if (body) body.value = exampleBody(api, content);
  const output = element("div", { "aria-live": "polite" });
  const button = element("button", { type: "button" }, "Send");
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const { line, text } = await send(method, path, fields, body);
      output.replaceChildren(element("strong", {}, line), element("pre", {}, text));
    } catch (error) {
      output.replaceChildren(element("strong", {}, `The request failed: ${error.message}`));
    } finally {
      button.disabled = false;
    }
  });

  const answers = Object.entries(described.responses ?? {}).map(([status, response]) =>
    element("tr", {}, element("td", {}, element("code", {}, status)), element("td", {}, response.description || "")),
  );
  const inside = element("div", {}, element("p", {}, described.description ?? ""));
  if (fields.length) inside.append(element("table", {}, ...fields.map(({ row }) => row)));
  if (body) inside.append(element("p", { class: "quiet" }, "Body"), body);
  inside.append(element("table", {}, ...answers));
  if (!path.startsWith("/ws/")) inside.append(button, output);
  const title = element("summary", {}, element("span", { class: "method" }, method.toUpperCase()), element("code", {}, path));
  title.append(element("span", { class: "quiet" }, `  ${described.summary ?? ""}`));
  return element("details", {}, title, inside);
}

async function main() {
  const api = await (await fetch("/api/openapi.json")).json();
  document.getElementById("about").textContent = `Version ${api.info.version}. ${api.info.description}`;
  const groups = new Map((api.tags ?? []).map((tag) => [tag.name, { tag, nodes: [] }]));
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      groups.get(item[method].tags[0])?.nodes.push(operation(api, method, path, item[method]));
    }
  }
  for (const { tag, nodes } of groups.values()) {
    const heading = element("h2", {}, tag.name[0].toUpperCase() + tag.name.slice(1));
    document.getElementById("operations").append(heading, element("p", { class: "quiet" }, tag.description ?? ""), ...nodes);
  }
}

main().catch((error) => {
  document.getElementById("about").textContent = `The OpenAPI document could not be loaded: ${error.message}`;
});

/** The XML of S3: elements and text, without attributes that mean anything. */
import { refuse } from "./refuse.js";

/** An element of a document: its text, or its children. */
export interface Element {
  readonly name: string;
  readonly text: string;
  readonly children: readonly Element[];
}

type Content = string | number | boolean | readonly string[];

/** An element as text, with children that are text already. */
export function tag(name: string, content: Content): string {
  return `<${name}>${typeof content === "object" ? content.join("") : escapeText(String(content))}</${name}>`;
}

/** A document whose one element has these children. */
export function documentOf(name: string, children: readonly string[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${children.join("")}</${name}>`;
}

/** The element of a document. Refuses what is no well-formed tree of elements. */
export function parseXml(text: string): Element {
  const stack: { name: string; text: string; children: Element[] }[] = [{ name: "", text: "", children: [] }];
  const body = text.replace(/^\uFEFF?\s*<\?xml[^>]*\?>/, "");
  let at = 0;
  for (const match of body.matchAll(/<(\/?)([A-Za-z][\w:.-]*)((?:\s+[\w:.-]+\s*=\s*"[^"<]*"|\s+[\w:.-]+\s*=\s*'[^'<]*')*)\s*(\/?)>/g)) {
    const [whole, closing, name, , empty] = match;
    const top = stack.at(-1)!;
    const between = body.slice(at, match.index);
    if (between.includes("<")) refuse("MalformedXML");
    top.text += unescapeText(between);
    at = match.index + whole.length;
    if (closing === "/") {
      const done = stack.pop()!;
      if (done.name !== name || stack.length === 0) refuse("MalformedXML");
      stack.at(-1)!.children.push(done);
    } else if (empty === "/") top.children.push({ name: name!, text: "", children: [] });
    else stack.push({ name: name!, text: "", children: [] });
  }
  const [root] = stack;
  if (stack.length !== 1 || root!.children.length !== 1 || body.slice(at).trim() !== "") refuse("MalformedXML");
  return root!.children[0]!;
}

/** The text of a child, or undefined without that child. */
export function textOf(element: Element, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text;
}

function escapeText(text: string): string {
  return text.replace(/[&<>"'\r\n\t]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function unescapeText(text: string): string {
  const named: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return text.replace(/&(#x[0-9a-f]+|#\d+|\w+);/gi, (_, entity: string) => {
    if (!entity.startsWith("#")) return named[entity] ?? refuse("MalformedXML");
    return String.fromCodePoint(entity[1]!.toLowerCase() === "x" ? parseInt(entity.slice(2), 16) : Number(entity.slice(1)));
  });
}

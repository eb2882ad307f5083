import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";

/** The account of the mailbox. */
export const ACCOUNT = { user: "support@example.org", password: "s3cret" } as const;

const MAIL = [
  "From: Ada <ada@example.org>",
  "To: support@example.org",
  "Subject: Thanks",
  `Date: ${new Date().toUTCString().replace("GMT", "+0000")}`,
  "Message-ID: <1@example.org>",
  "Content-Type: text/plain; charset=utf-8",
  "",
  "I love the answer by e-mail",
  "",
].join("\r\n");

/** A mail server with one mail. It supports the commands of IMAP (RFC 3501) that read a mailbox. */
export class MailServer {
  private readonly server: Server = createServer((socket) => serve(socket));

  async start(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.server.listen(0, "127.0.0.1", resolve);
    });
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  end(): void {
    this.server.close();
  }
}

function serve(socket: Socket): void {
  socket.on("error", () => socket.destroy());
  socket.write("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n");
  /** The tag of the last AUTHENTICATE command. The next line has its credentials. */
  let signingIn: string | undefined;
  let rest = "";
  socket.on("data", (chunk) => {
    const lines = (rest + chunk.toString()).split("\r\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (signingIn !== undefined) {
        const [, user, password] = Buffer.from(line, "base64").toString().split("\0");
        socket.write(signedIn(signingIn, user === ACCOUNT.user && password === ACCOUNT.password));
        signingIn = undefined;
      } else {
        const [tag = "", ...words] = line.split(" ");
        const command = words.join(" ").toUpperCase();
        if (command === "AUTHENTICATE PLAIN") signingIn = tag;
        socket.write(answer(tag, command, words));
        if (command === "LOGOUT") socket.end();
      }
    }
  });
}

function signedIn(tag: string, isKnown: boolean): string {
  return isKnown ? `${tag} OK signed in\r\n` : `${tag} NO [AUTHENTICATIONFAILED] Invalid credentials\r\n`;
}

function answer(tag: string, command: string, words: readonly string[]): string {
  if (command === "AUTHENTICATE PLAIN") return "+ \r\n";
  if (command === "CAPABILITY") return `* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n${tag} OK done\r\n`;
  if (command === "LOGOUT") return `* BYE bye\r\n${tag} OK done\r\n`;
  if (command.startsWith("LOGIN ")) {
    const [user, password] = words.slice(1).map((word) => word.replaceAll('"', ""));
    return signedIn(tag, user === ACCOUNT.user && password === ACCOUNT.password);
  }
  if (command.startsWith("EXAMINE ")) {
    return `* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 2] ok\r\n${tag} OK [READ-ONLY] done\r\n`;
  }
  if (!/^(UID )?FETCH /.test(command)) return `${tag} BAD unknown command\r\n`;
  const found = command.includes("BODY.PEEK[]")
    ? `* 1 FETCH (UID 1 BODY[]<0> {${Buffer.byteLength(MAIL)}}\r\n${MAIL})\r\n`
    : `* 1 FETCH (UID 1 RFC822.SIZE ${Buffer.byteLength(MAIL)} INTERNALDATE "${internalDate(new Date())}")\r\n`;
  return `${found}${tag} OK done\r\n`;
}

/** "01-Mar-2026 12:00:00 +0000" */
function internalDate(time: Date): string {
  const [, day, month, year, clock] = time.toUTCString().split(" ");
  return `${day}-${month}-${year} ${clock} +0000`;
}

// A yes-or-no question to the person at the terminal.

/** Undefined where standard input or standard error is no terminal. Anything but y or yes is no. */
export function terminalAsk(): ((question: string) => Promise<boolean>) | undefined {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined
  return async (question) => {
    process.stderr.write(question)
    let answer = ''
    for await (const chunk of process.stdin) {
      answer += String(chunk)
      if (answer.includes('\n')) break
    }
    return /^\s*y(es)?\s*$/i.test(answer)
  }
}

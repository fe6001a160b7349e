// The command line as a whole: which command is meant, help, version, and what the exit code is (0 done, 1 failed, 2 asked
// wrongly).

import { Command, CommanderError } from 'commander'
import { commands, type CommandEntry } from './commands.ts'
import { Failure } from './failure.ts'
import { nearest } from './nearest.ts'
import { version } from './version.ts'

const about = `An event log that speaks the Kafka protocol and does not lose acknowledged messages.

Exit codes: 0 done, 1 failed, 2 asked for wrongly.`

/** Runs one command line (without the program's own name); resolves to the exit code. */
export async function runProgram(
  args: readonly string[],
  table: readonly CommandEntry[] = commands,
): Promise<0 | 1 | 2> {
  try {
    const program = await programFor(args, table)
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    return report(error)
  }
}

async function programFor(
  args: readonly string[],
  table: readonly CommandEntry[],
): Promise<Command> {
  const program = new Command('chronik')
    .description(about)
    .version(version, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show the help of a command')
    .showHelpAfterError('(chronik --help shows the commands)')
  const wanted = args[0] === 'help' ? args[1] : args.find((arg) => !arg.startsWith('-'))
  for (const entry of table) {
    const command = entry.name === wanted ? (await entry.load()).command() : new Command(entry.name)
    program.addCommand(command.name(entry.name).summary(entry.summary))
  }
  program.action(() => {
    if (wanted === undefined) return program.help({ error: true })
    const near = nearest(
      wanted,
      table.map(({ name }) => name),
    )
    const hint = near === undefined ? 'see chronik --help' : `did you mean ${near}?`
    throw new Failure(`there is no command "${wanted}"; ${hint}`, { exitCode: 2 })
  })
  program.argument('[command]').allowExcessArguments()
  for (const command of [program, ...descendants(program)]) command.exitOverride()
  return program
}

function descendants(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...descendants(child)])
}

function report(error: unknown): 0 | 1 | 2 {
  if (error instanceof CommanderError) {
    // It has already printed the help, the version, or what is wrong. Help that was asked for has code 0.
    return error.exitCode === 0 ? 0 : 2
  }
  if (error instanceof Failure) {
    process.stderr.write(`chronik: ${error.message}\n`)
    return error.exitCode
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.stderr.write(`chronik: unexpected failure, please report it\n${text}\n`)
  return 1
}

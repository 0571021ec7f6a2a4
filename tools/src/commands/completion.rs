//! `sawlog completion`: what a shell needs to complete words of these commands. Decides where a word may be a topic, which
//! bash then asks the cluster for; all other words are those that the arguments say there are.

use clap::Command;
use clap_complete::Shell;

use crate::exit::{Exit, Failure};
use crate::show::Show;

/// Print what a shell needs to complete words of these commands.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog completion bash > sawlog.bash        then: source sawlog.bash; topics are asked of the cluster
  sawlog completion zsh > _sawlog             in a directory of $fpath
  sawlog completion fish > sawlog.fish        in ~/.config/fish/completions

Exit codes: 0 done, 1 failed, 2 usage.")]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, mut root: Command) -> Result<Exit, Failure> {
    // In memory first: what writes it knows no reader that is gone.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut root, "sawlog", &mut script);
    if arguments.shell == Shell::Bash {
        script.extend_from_slice(topics(&root).as_bytes());
    }
    let mut show = Show::out();
    show.raw(&script)?;
    show.end()?;
    Ok(Exit::Done)
}

/// What makes bash ask for topics: those of SAWLOG_BROKERS, or of the broker here.
fn topics(root: &Command) -> String {
    let mut commands = Vec::new();
    take_topics(root, "", &mut commands);
    let commands: Vec<String> = commands
        .iter()
        .map(|command| format!("\"{command} \"*"))
        .collect();
    format!(
        r#"
_sawlog_topics() {{
    _sawlog "$@"
    local word="${{COMP_WORDS[COMP_CWORD]}}"
    case "${{COMP_WORDS[*]:1}} " in
        {})
            if [[ "$word" != -* ]]; then
                COMPREPLY+=($(compgen -W "$(SAWLOG_TIMEOUT=${{SAWLOG_TIMEOUT:-1}} sawlog topic list -o name 2>/dev/null)" -- "$word"))
            fi
            ;;
    esac
}}
complete -F _sawlog_topics -o bashdefault -o default sawlog
"#,
        commands.join("|")
    )
}

/// The commands whose words are topics, without the first.
fn take_topics(command: &Command, path: &str, found: &mut Vec<String>) {
    for below in command.get_subcommands() {
        let path = format!("{path} {}", below.get_name())
            .trim_start()
            .to_owned();
        let mut words = below.get_positionals();
        let names = |word: &clap::Arg| word.get_id() == "topic" || word.get_id() == "topics";
        if words.any(names) {
            found.push(path.clone());
        }
        take_topics(below, &path, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_asked_for_where_a_word_may_be_one() {
        let mut found = Vec::new();
        take_topics(&crate::help::root(), "", &mut found);
        for command in [
            "produce",
            "consume",
            "topic describe",
            "topic delete",
            "bench consume",
        ] {
            assert!(
                found.iter().any(|one| one == command),
                "{command} is not in {found:?}"
            );
        }
        for command in ["topic list", "config explain", "log dump"] {
            assert!(
                !found.iter().any(|one| one == command),
                "{command} is in {found:?}"
            );
        }
    }
}

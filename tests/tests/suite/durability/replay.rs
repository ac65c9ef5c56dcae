//! The replay of power cuts, tried on a program that everyone knows: dd.

use std::fs;

use tests::powerloss::{History, Keep, Recorder};
use tests::process::Run;
use tests::{Result, sandbox};

/// What a shell script does in an empty folder; its one answer is a word on its output.
fn script(script: &str) -> Result<History> {
    let [folder, notes] = ["data", "notes"].map(|name| sandbox::work().join(name));
    for left_by_another in [&folder, &notes].into_iter().filter(|folder| folder.exists()) {
        fs::remove_dir_all(left_by_another)?;
    }
    fs::create_dir_all(&folder)?;
    let mut recorder = Recorder::new(&folder, &notes)?;
    let shell = Run::new("sh").args(["-ec", script, "sh"]).arg(&folder);
    recorder.under(shell).here()?.ok()?;
    recorder.answered();
    recorder.finish()
}

/// The file `name` as it is after a cut right after the answer; none where it is not there.
fn after_a_cut(history: &History, name: &str, keep: Keep, seed: u64) -> Result<Option<Vec<u8>>> {
    let to = sandbox::work().join("cut");
    history.rebuild(&history.right_after(1, keep, seed), &to)?;
    Ok(fs::read(to.join(name)).ok())
}

#[test]
fn what_was_synced_is_there_and_what_was_not_may_be_gone() {
    sandbox::test("durability::replay::what_was_synced_is_there_and_what_was_not_may_be_gone", || {
        let history = script(
            "cd \"$1\"; printf safe | dd of=safe conv=fsync status=none
            printf unsafe | dd of=unsafe status=none; echo done",
        )?;
        assert_eq!(after_a_cut(&history, "safe", Keep::Nothing, 1)?, Some(b"safe".to_vec()));
        assert_eq!(after_a_cut(&history, "unsafe", Keep::Nothing, 1)?, None);
        assert_eq!(after_a_cut(&history, "unsafe", Keep::Everything, 1)?, Some(b"unsafe".to_vec()));
        Ok(())
    });
}

#[test]
fn a_name_that_no_sync_followed_may_be_the_old_one() {
    sandbox::test("durability::replay::a_name_that_no_sync_followed_may_be_the_old_one", || {
        let history = script(
            "cd \"$1\"; printf old | dd of=file conv=fsync status=none
            printf new | dd of=other conv=fsync status=none; mv other file; echo done",
        )?;
        assert_eq!(after_a_cut(&history, "file", Keep::Nothing, 1)?, Some(b"old".to_vec()));
        let synced = script(
            "cd \"$1\"; printf old | dd of=file conv=fsync status=none
            printf new | dd of=other conv=fsync status=none; mv other file; sync .; echo done",
        )?;
        assert_eq!(after_a_cut(&synced, "file", Keep::Nothing, 1)?, Some(b"new".to_vec()));
        Ok(())
    });
}

#[test]
fn a_write_that_was_not_synced_may_be_there_in_part() {
    sandbox::test("durability::replay::a_write_that_was_not_synced_may_be_there_in_part", || {
        let history = script(
            "dd if=/dev/urandom of=\"$1/file\" bs=64k count=1 status=none; sync -d \"$1\"; echo done",
        )?;
        let whole = after_a_cut(&history, "file", Keep::Everything, 1)?.ok_or("no file")?;
        let torn = |seed| -> Result<bool> {
            let found = after_a_cut(&history, "file", Keep::Some, seed)?.unwrap_or_default();
            let kept =
                found.chunks(512).zip(whole.chunks(512)).filter(|(found, whole)| found == whole).count();
            Ok(kept > 0 && kept < 128)
        };
        let torn = (1..=20).map(torn).collect::<Result<Vec<bool>>>()?;
        assert!(torn.contains(&true) && torn.contains(&false), "{torn:?}");
        Ok(())
    });
}

#[test]
fn an_answer_is_dated_before_the_sync_that_came_too_late() {
    sandbox::test("durability::replay::an_answer_is_dated_before_the_sync_that_came_too_late", || {
        let history =
            script("cd \"$1\"; printf late | dd of=late status=none; echo done; sync late; sync .")?;
        assert_eq!(after_a_cut(&history, "late", Keep::Nothing, 1)?, None);
        Ok(())
    });
}

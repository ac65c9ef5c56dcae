use super::*;

#[test]
fn root_and_the_owner_may_give_commands_and_nobody_else() {
    let owner = (Uid::from_raw(1000), "ada".to_owned());
    assert_eq!(author(Uid::from_raw(0), &owner).as_deref(), Some("root"));
    assert_eq!(author(Uid::from_raw(1000), &owner).as_deref(), Some("ada"));
    assert_eq!(author(Uid::from_raw(1001), &owner), None);
}

//! temporary
use crate::interface::{Interface, Sig};
use crate::schema::Schema;
use crate::fault::Fault;
#[test]
fn vectors() {
    macro_rules! p { ($($t:ty),* $(,)?) => { $( println!("| `{}` | `{:016x}` |", stringify!($t), Schema::of::<$t>().wide_hash()); )* } }
    p!((), bool, u8, u16, u32, u64, u128, i8, i16, i32, i64, i128, f32, f64, char, String, Vec<u8>, Vec<u32>, [u32; 2], Option<u32>, (u8, String), std::collections::BTreeMap<u32, u8>, crate::value::Plain<u8>, crate::function::RpcFn<fn(i64) -> i64>, crate::value::Never, Fault);
    let i = Interface::new("x", &[Sig::method::<(i64,), i64>("increment"), Sig::property::<i64>("value"), Sig::method::<(), ()>("ping"), Sig::method::<(String, Option<u32>), Result<Vec<u8>, Fault>>("find"), Sig::method::<(i64,), i64>("call")]);
    for m in i.methods() { for n in 0..=m.params_count() { println!("{} {} {:016x}", m.name, n, m.id(n).0); } }
}

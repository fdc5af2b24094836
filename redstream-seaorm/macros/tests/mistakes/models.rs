//! Types that are no models.

mod of_another_name {
    use redstream_seaorm::Streamed;

    #[derive(Streamed)]
    pub struct City {
        pub id: i64,
    }
}

mod an_enum {
    use redstream_seaorm::Streamed;

    #[derive(Streamed)]
    pub enum Model {
        City,
    }
}

fn main() {}

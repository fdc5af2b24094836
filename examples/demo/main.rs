fn main() { println!("{}", include_str!(env!("CITIES_CSV")).len()); let r: Option<reverse_geocoder::Record>=None; }

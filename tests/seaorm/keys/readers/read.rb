# Reads the payloads of a stream with redis-rb, and writes what it understood to another one.
require "json"
require "redis"

def rendered(value)
  case value
  when true, false then value.to_s
  when Numeric then [value.to_f].pack("G").unpack1("H*")
  else "'" + value.encode("UTF-8").unpack1("H*")
  end
end

url, source, target = ARGV
client = Redis.new(url: url)
client.xrange(source).each do |_, fields|
  payload = JSON.parse(fields["payload"])
  client.xadd(target, { "payload" => payload.keys.sort.map { |name| "#{name}=#{rendered(payload[name])}" }.join(" ") })
end
